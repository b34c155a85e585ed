/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/fixed_point.h"
#include "../arithmetic/pixel_sums.h"
#include "reduction.h"

TN_KERNEL void tn_mean_rows(const tn_mean_rows_params *params, const int8_t *restrict input, int8_t *restrict output,
                            int8_t *restrict scratch)
{
    int32_t *const sums = (int32_t *)(void *)scratch;
    const int32_t channels = params->channels;
    tn_add_pixels(sums, input, params->pixels, channels, params->begins, params->start);
    if (params->ends) {
        for (int32_t c = 0; c < channels; c++) {
            const int32_t scaled = tn_multiply_by_quantized_multiplier(sums[c], params->multiplier, params->shift);
            output[c] = tn_clamp(scaled + params->output_zero_point, INT8_MIN, INT8_MAX);
        }
    }
}
