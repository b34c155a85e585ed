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
 * written where some pixel of the input has the same channel, and there are no more results than input pixels.
 *
 * Since the borders hold the zero point, its share of every sum is the same: it is taken off once a channel. Two
 * neighbours are computed at a time and share each weight; of an odd number, the last but one is computed twice. */
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
    const int32_t last = params->output_width - 1;
    const int32_t neighbour = last > 0 ? 1 : 0;
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
        const int8_t *const weights = params->weights + c;
        int32_t weight_sum = 0;
        const int8_t *weight = weights;
        for (int32_t i = params->kernel_height * kernel_width; i > 0; i--) {
            weight_sum += *weight;
            weight += channels;
        }
        const int32_t start = params->bias[c] - zero_point * weight_sum;
        int8_t *result_row = output + c;
        const int8_t *window_row = scratch;
        for (int32_t y = params->output_height; y > 0; y--) {
            for (int32_t tile = 0; tile <= last; tile += 2) {
                const int32_t x = tile < last ? tile : tile - neighbour;
                const int8_t *taps = window_row + x * stride;
                const int32_t apart = neighbour * stride;
                weight = weights;
                int32_t sum0 = start;
                int32_t sum1 = start;
                for (int32_t i = params->kernel_height; i > 0; i--) {
                    const int8_t *value = taps;
                    for (int32_t j = kernel_width; j > 0; j--) {
                        const int32_t w = *weight;
                        sum0 += value[0] * w;
                        sum1 += value[apart] * w;
                        value += step;
                        weight += channels;
                    }
                    taps += tap_row;
                }
                int8_t *const result = result_row + x * channels;
                result[0] = requantize(params, sum0, c);
                result[neighbour * channels] = requantize(params, sum1, c);
            }
            result_row += params->output_width * channels;
            window_row += params->stride_height * row;
        }
    }
}
