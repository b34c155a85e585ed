/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/clamp_outputs.h"
#include "tinynas/packed_tiles.h"

/* Four pixels at a time are four columns. Of pixels that four do not divide, some of the last four are computed twice;
 * fewer than four are computed one by one, each as four equal columns. */
TN_KERNEL void tn_conv_1x1_packed(const tn_conv_1x1_params *params, const int8_t *restrict input, int8_t *restrict output,
                                  int8_t *restrict scratch)
{
    const int32_t inputs = params->input_channels;
    const int32_t outputs = params->dot.output_channels;
    const int32_t pixels = params->pixels;
    const int32_t several = pixels >= TN_PACKED_COLUMNS ? 1 : 0;
    const int32_t group = several ? TN_PACKED_COLUMNS : 1;
    const int32_t last = pixels - group;
    const int32_t apart = several * inputs;
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    int32_t pixel = 0;
    for (;;) {
        const int8_t *from = input + pixel * inputs;
        (void)tn_pack_columns(columns, from, from + 2 * apart, inputs);
        from += apart;
        (void)tn_pack_columns(columns + TN_PLANE_WORDS, from, from + 2 * apart, inputs);
        tn_packed_tiles(&params->dot, columns, output + pixel * outputs, several * outputs);
        if (pixel == last) {
            break;
        }
        pixel += group;
        pixel = pixel < last ? pixel : last;
    }
    tn_clamp_outputs(output, pixels * outputs, params->dot.activation_min, params->dot.activation_max);
}
