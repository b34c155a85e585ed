/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/fixed_point.h"
#include "tinynas/kernels.h"

static inline int8_t requantize(const tn_depthwise_conv_2d_params *params, int32_t accumulator, int32_t channel)
{
    const int32_t scaled =
        tn_multiply_by_quantized_multiplier(accumulator, params->multiplier[channel], params->shift[channel]);
    return tn_clamp(scaled + params->output_zero_point, params->activation_min, params->activation_max);
}

static inline int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* One channel at a time: its plane is gathered into scratch, between borders of the zero point that stay from channel
 * to channel. From then on nothing reads that channel of the input, so its results may take its place: a result is
 * written where some pixel of the input has the same channel, and there are no more results than input pixels. */
TN_KERNEL void tn_depthwise_conv_2d_planar(const tn_depthwise_conv_2d_params *params, const int8_t *input,
                                           int8_t *output, int8_t *restrict scratch)
{
    const int32_t channels = params->channels;
    const int32_t height = params->input_height;
    const int32_t width = params->input_width;
    const int32_t zero_point = params->input_zero_point;
    const int32_t kernel_width = params->kernel_width;
    const int32_t step = params->dilation_width;
    const int32_t stride = params->stride_width;
    const int32_t row = larger(params->padding_left + width,
                               (params->output_width - 1) * stride + (kernel_width - 1) * step + 1);
    const int32_t tap_row = params->dilation_height * row;
    const int32_t rows = larger(params->padding_top + height, (params->output_height - 1) * params->stride_height +
                                                                  (params->kernel_height - 1) * params->dilation_height + 1);
    int8_t *fill = scratch;
    for (int32_t i = rows * row; i > 0; i--) {
        *fill++ = (int8_t)zero_point;
    }
    int8_t *const inside = scratch + params->padding_top * row + params->padding_left;
    for (int32_t c = 0; c < channels; c++) {
        const int8_t *source = input + c;
        for (int32_t y = 0; y < height; y++) {
            int8_t *target = inside + y * row;
            for (int32_t x = width; x > 0; x--) {
                *target++ = *source;
                source += channels;
            }
        }
        int8_t *result = output + c;
        const int8_t *window_row = scratch;
        for (int32_t y = params->output_height; y > 0; y--) {
            const int8_t *window = window_row;
            for (int32_t x = params->output_width; x > 0; x--) {
                const int8_t *weight = params->weights + c;
                const int8_t *taps = window;
                int32_t sum = params->bias[c];
                for (int32_t i = params->kernel_height; i > 0; i--) {
                    const int8_t *value = taps;
                    for (int32_t j = kernel_width; j > 0; j--) {
                        sum += (*value - zero_point) * *weight;
                        value += step;
                        weight += channels;
                    }
                    taps += tap_row;
                }
                *result = requantize(params, sum, c);
                result += channels;
                window += stride;
            }
            window_row += params->stride_height * row;
        }
    }
}
