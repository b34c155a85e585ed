/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/fixed_point.h"
#include "../arithmetic/window.h"
#include "conv_2d.h"

typedef struct {
    int32_t first;
    int32_t second;
} sums;

/* Two output channels over the taps inside the input. `w` and `w + next` are their weights. Where neither dilation
 * nor groups interrupt them, the taps of a row are one contiguous run of input and of weights. */
static inline sums accumulate(const tn_conv_2d_params *params, const int8_t *input, const int8_t *w, int32_t next,
                              int32_t depth, tn_taps rows, tn_taps columns, int32_t row_origin, int32_t column_origin,
                              sums acc)
{
    const int32_t channels = params->input_channels;
    const int32_t zero_point = params->input_zero_point;
    const int32_t inside = columns.end - columns.first;
    const int32_t contiguous = params->groups == 1 && params->dilation_width == 1;
    const int32_t runs = contiguous ? 1 : inside;
    const int32_t length = contiguous ? inside * depth : depth;
    const int32_t x_step = params->dilation_width * channels - depth; /* of no effect after a single run */
    if (inside <= 0) {
        return acc;
    }
    for (int32_t row = rows.first; row < rows.end; row++) {
        const int32_t y = row_origin + row * params->dilation_height;
        const int32_t x = column_origin + columns.first * params->dilation_width;
        const int8_t *source = input + (y * params->input_width + x) * channels;
        const int8_t *w0 = w + (row * params->kernel_width + columns.first) * depth;
        const int8_t *w1 = w0 + next;
        for (int32_t run = runs; run > 0; run--) {
            for (int32_t i = length; i > 0; i--) {
                const int32_t value = *source++ - zero_point;
                acc.first += value * *w0++;
                acc.second += value * *w1++;
            }
            source += x_step;
        }
    }
    return acc;
}

static inline int8_t requantize(const tn_conv_2d_params *params, int32_t accumulator, int32_t channel)
{
    const int32_t scaled =
        tn_multiply_by_quantized_multiplier(accumulator, params->multiplier[channel], params->shift[channel]);
    return tn_clamp(scaled + params->output_zero_point, params->activation_min, params->activation_max);
}

/* Two output channels at a time share every input that is loaded. Of an odd number in a group, the last is computed
 * twice: cheaper in flash than a second loop. */
TN_KERNEL void tn_conv_2d(const tn_conv_2d_params *params, const int8_t *restrict input, int8_t *restrict output)
{
    const int32_t groups = params->groups;
    const int32_t depth = params->input_channels / groups;
    const int32_t outputs = params->output_channels / groups;
    const int32_t filter = params->kernel_height * params->kernel_width * depth;
    int32_t row_origin = -(int32_t)params->padding_top;
    for (int32_t oy = 0; oy < params->output_height; oy++) {
        const tn_taps rows =
            tn_taps_inside(row_origin, params->input_height, params->kernel_height, params->dilation_height);
        int32_t column_origin = -(int32_t)params->padding_left;
        for (int32_t ox = 0; ox < params->output_width; ox++) {
            const tn_taps columns =
                tn_taps_inside(column_origin, params->input_width, params->kernel_width, params->dilation_width);
            for (int32_t group = 0; group < groups; group++) {
                const int32_t last = (group + 1) * outputs - 1;
                for (int32_t o = group * outputs; o <= last; o += 2) {
                    const int32_t second = o < last ? o + 1 : o;
                    sums acc = {params->bias[o], params->bias[second]};
                    acc = accumulate(params, input + group * depth, params->weights + o * filter,
                                     (second - o) * filter, depth, rows, columns, row_origin, column_origin, acc);
                    output[o] = requantize(params, acc.first, o);
                    output[second] = requantize(params, acc.second, second);
                }
            }
            output += params->output_channels;
            column_origin += params->stride_width;
        }
        row_origin += params->stride_height;
    }
}
