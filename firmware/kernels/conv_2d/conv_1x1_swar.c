/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "gemm_swar.h"

TN_KERNEL void tn_conv_1x1_swar(const tn_conv_1x1_params *params, const int8_t *restrict input,
                                  int8_t *restrict output, int8_t *restrict scratch)
{
    const int32_t inputs = params->input_channels;
    const int32_t outputs = params->gemm.output_channels;
    const int32_t pixels = params->pixels;
    const int32_t several = pixels > 1 ? 1 : 0;
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    tn_planes group = tn_first_planes(pixels);
    do {
        const int8_t *from = input + group.pixel * inputs;
        const int32_t apart = several * group.planes * inputs;
        (void)tn_pack_columns(columns, from, from + apart, inputs);
        if (group.planes > 1) {
            from += inputs;
            (void)tn_pack_columns(columns + TN_PLANE_WORDS, from, from + apart, inputs);
        }
        tn_gemm_swar(&params->gemm, columns, group.planes, output + group.pixel * outputs, several * outputs);
    } while (tn_next_planes(&group, pixels));
    tn_clamp_outputs(output, pixels * outputs, params->gemm.activation_min, params->gemm.activation_max);
}
