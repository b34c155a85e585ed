/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/fixed_point.h"
#include "../arithmetic/window.h"
#include "depthwise_conv_2d.h"

enum { TILE = 4 };

static inline int8_t requantize(const tn_depthwise_conv_2d_params *params, int32_t accumulator, int32_t channel)
{
    const int32_t scaled =
        tn_multiply_by_quantized_multiplier(accumulator, params->multiplier[channel], params->shift[channel]);
    return tn_clamp(scaled + params->output_zero_point, params->activation_min, params->activation_max);
}

/* Four adjacent channels at a time, so that the walk over the window is paid once for four MACs per tap. Where the
 * channels are not a multiple of four, the last tile overlaps the one before it and computes some of them again. */
TN_KERNEL void tn_depthwise_conv_2d(const tn_depthwise_conv_2d_params *params, const int8_t *restrict input,
                                    int8_t *restrict output)
{
    const int32_t channels = params->channels;
    const int32_t zero_point = params->input_zero_point;
    const int32_t input_row = params->dilation_height * params->input_width * channels;
    const int32_t weight_row = params->kernel_width * channels;
    const int32_t input_step = params->dilation_width * channels;
    int32_t row_origin = -(int32_t)params->padding_top;
    for (int32_t oy = 0; oy < params->output_height; oy++) {
        const tn_taps rows =
            tn_taps_inside(row_origin, params->input_height, params->kernel_height, params->dilation_height);
        const int32_t first_row = row_origin + rows.first * params->dilation_height;
        int32_t column_origin = -(int32_t)params->padding_left;
        for (int32_t ox = 0; ox < params->output_width; ox++) {
            const tn_taps columns =
                tn_taps_inside(column_origin, params->input_width, params->kernel_width, params->dilation_width);
            const int32_t first_column = column_origin + columns.first * params->dilation_width;
            const int32_t input_start = (first_row * params->input_width + first_column) * channels;
            const int32_t weight_start = rows.first * weight_row + columns.first * channels;
            for (int32_t tile = 0; tile < channels; tile += TILE) {
                const int32_t c = tile < channels - TILE ? tile : channels - TILE;
                int32_t input_index = input_start + c;
                int32_t weight_index = weight_start + c;
                int32_t acc0 = params->bias[c];
                int32_t acc1 = params->bias[c + 1];
                int32_t acc2 = params->bias[c + 2];
                int32_t acc3 = params->bias[c + 3];
                for (int32_t row = rows.first; row < rows.end; row++) {
                    const int8_t *x = input + input_index;
                    const int8_t *w = params->weights + weight_index;
                    for (int32_t column = columns.first; column < columns.end; column++) {
                        acc0 += (x[0] - zero_point) * w[0];
                        acc1 += (x[1] - zero_point) * w[1];
                        acc2 += (x[2] - zero_point) * w[2];
                        acc3 += (x[3] - zero_point) * w[3];
                        x += input_step;
                        w += channels;
                    }
                    input_index += input_row;
                    weight_index += weight_row;
                }
                output[c] = requantize(params, acc0, c);
                output[c + 1] = requantize(params, acc1, c + 1);
                output[c + 2] = requantize(params, acc2, c + 2);
                output[c + 3] = requantize(params, acc3, c + 3);
            }
            output += channels;
            column_origin += params->stride_width;
        }
        row_origin += params->stride_height;
    }
}
