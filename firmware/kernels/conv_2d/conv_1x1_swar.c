/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "gemm_swar.h"

TN_KERNEL void tn_conv_1x1_swar(const tn_conv_1x1_params *params, const int8_t *restrict input,
                                  int8_t *restrict output, int8_t *restrict scratch)
{
    const int32_t inputs = params->input_channels;
    const int32_t outputs = params->gemm.output_channels;
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    tn_pixel_group group = tn_first_group(params->pixels);
    const int32_t apart = group.several * inputs;
    do {
        const int8_t *from = input + group.pixel * inputs;
        (void)tn_pack_columns(columns, from, from + 2 * apart, inputs);
        from += apart;
        (void)tn_pack_columns(columns + TN_PLANE_WORDS, from, from + 2 * apart, inputs);
        tn_gemm_swar(&params->gemm, columns, output + group.pixel * outputs, group.several * outputs);
    } while (tn_next_group(&group));
    tn_clamp_outputs(output, params->pixels * outputs, params->gemm.activation_min, params->gemm.activation_max);
}
