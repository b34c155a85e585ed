/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/widen.h"
#include "paired_tiles.h"

TN_KERNEL void tn_conv_1x1_paired(const tn_conv_1x1_params *params, const int8_t *restrict input,
                                  int8_t *restrict output, int8_t *restrict scratch)
{
    uint32_t *const column = (uint32_t *)(void *)scratch;
    const int8_t *from = input;
    int8_t *to = output;
    tn_paired_tiles tiles;
    tn_paired_tiles_begin(&tiles, &params->dot, column);
    for (int32_t pixel = params->pixels; pixel > 0; pixel--) {
        (void)tn_widen(column, from, params->input_channels);
        tn_paired_tiles_pixel(&tiles, to);
        from += params->input_channels;
        to += params->dot.output_channels;
    }
    tn_clamp_outputs(output, params->pixels * params->dot.output_channels, params->dot.activation_min,
                     params->dot.activation_max);
}
