/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/pixel_sums.h"
#include "rounded_mean.h"

TN_KERNEL void tn_average_pool_2d_rows(const tn_pool_2d_rows_params *params, const int8_t *restrict input,
                                       int8_t *restrict output, int8_t *restrict scratch)
{
    int32_t *const sums = (int32_t *)(void *)scratch;
    const int32_t channels = params->channels;
    tn_add_pixels(sums, input, (int32_t)params->pixels, channels, params->begins, 0);
    if (params->ends) {
        const uint32_t inverse = tn_reciprocal(params->pixels_in_all);
        for (int32_t c = 0; c < channels; c++) {
            output[c] = (int8_t)tn_rounded_mean(sums[c], params->pixels_in_all, inverse);
        }
        tn_clamp_outputs(output, channels, params->activation_min, params->activation_max);
    }
}
