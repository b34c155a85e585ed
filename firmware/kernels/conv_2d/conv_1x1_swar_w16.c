/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/widen.h"
#include "gemm_swar_w16.h"

TN_KERNEL void tn_conv_1x1_swar_w16(const tn_conv_1x1_params *params, const int8_t *restrict input,
                                  int8_t *restrict output, int8_t *restrict scratch)
{
    uint32_t *const column = (uint32_t *)(void *)scratch;
    const int8_t *from = input;
    int8_t *to = output;
    tn_gemm_swar_w16 tiles;
    tn_gemm_swar_w16_begin(&tiles, &params->gemm, column);
    for (int32_t pixel = params->pixels; pixel > 0; pixel--) {
        (void)tn_widen(column, from, params->input_channels);
        tn_gemm_swar_w16_pixel(&tiles, to);
        from += params->input_channels;
        to += params->gemm.output_channels;
    }
    tn_clamp_outputs(output, params->pixels * params->gemm.output_channels, params->gemm.activation_min,
                     params->gemm.activation_max);
}
