/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/clamp_outputs.h"
#include "tinynas/depthwise_plane.h"

/* Sums of one row of outputs, two neighbours at a time, which share every weight that is loaded; of an odd number, the sum
 * behind the last is computed and never read. */
static inline void sum_row(const tn_depthwise_planar_params *params, const int16_t *row, const uint32_t *weights,
                           int32_t *sums)
{
    const int32_t pairs = (params->kernel_width + 1) >> 1;
    const int32_t stride = params->stride_width;
    for (int32_t x = params->output_width; x > 0; x -= 2) {
        const int16_t *window = row;
        const uint32_t *weight = weights;
        int32_t first = 0;
        int32_t second = 0;
        for (int32_t y = params->kernel_height; y > 0; y--) {
            const int16_t *tap = window;
            for (int32_t i = pairs; i > 0; i--) {
#if TN_DSP
                const uint32_t w = *weight++;
                first = tn_dot_pair(tn_load_word(tap), w, first);
                second = tn_dot_pair(tn_load_word(tap + stride), w, second);
#else
                const int32_t w0 = (int16_t)*weight;
                const int32_t w1 = (int32_t)*weight++ >> 16;
                first += tap[0] * w0 + tap[1] * w1;
                second += tap[stride] * w0 + tap[stride + 1] * w1;
#endif
                tap += 2;
            }
            window += params->plane_width;
        }
        sums[0] = first;
        sums[1] = second;
        sums += 2;
        row += 2 * stride;
    }
}

TN_KERNEL void tn_depthwise_conv_2d_planar(const tn_depthwise_planar_params *params, const int8_t *input,
                                           int8_t *output, int8_t *restrict scratch)
{
    const int32_t channels = params->channels;
    const tn_plane_scratch parts = tn_plane_layout(params, scratch);
    const uint32_t *constants = params->constants;
    const int32_t pixels = params->output_height * params->output_width;
    tn_clear_plane(params, parts.plane);
    for (int32_t c = 0; c < channels; c++) {
        tn_channel channel;
        const int16_t *row = parts.plane;
        int8_t *result = output + c;
        constants = tn_unpack_channel(params, constants, parts.weights, &channel);
        tn_gather_plane(params, input + c, parts.plane);
        for (int32_t y = params->output_height; y > 0; y--) {
            sum_row(params, row, parts.weights, parts.sums);
            tn_requantize_row(params, parts.sums, &channel, result);
            row += params->stride_height * params->plane_width;
            result += params->output_row_step;
        }
    }
    tn_clamp_outputs(output, pixels * channels, params->activation_min, params->activation_max);
}
