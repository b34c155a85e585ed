/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/window.h"
#include "rounded_mean.h"

/* The mean of the taps inside the input, halves away from zero. */
TN_KERNEL void tn_average_pool_2d(const tn_pool_2d_params *params, const int8_t *restrict input,
                                  int8_t *restrict output)
{
    const int32_t channels = params->channels;
    const int32_t input_row = params->input_width * channels;
    int8_t *mean = output;
    int32_t row_origin = -(int32_t)params->padding_top;
    for (int32_t oy = 0; oy < params->output_height; oy++) {
        const tn_taps rows = tn_taps_inside(row_origin, params->input_height, params->filter_height, 1);
        int32_t column_origin = -(int32_t)params->padding_left;
        for (int32_t ox = 0; ox < params->output_width; ox++) {
            const tn_taps columns = tn_taps_inside(column_origin, params->input_width, params->filter_width, 1);
            const uint32_t count = (uint32_t)((rows.end - rows.first) * (columns.end - columns.first));
            const uint32_t inverse = tn_reciprocal(count);
            const int8_t *corner =
                input + (row_origin + rows.first) * input_row + (column_origin + columns.first) * channels;
            for (int32_t c = channels; c > 0; c--) {
                const int8_t *start = corner++;
                int32_t sum = 0;
                for (int32_t row = rows.first; row < rows.end; row++) {
                    const int8_t *x = start;
                    for (int32_t column = columns.first; column < columns.end; column++) {
                        sum += *x;
                        x += channels;
                    }
                    start += input_row;
                }
                *mean++ = (int8_t)tn_rounded_mean(sum, count, inverse);
            }
            column_origin += params->stride_width;
        }
        row_origin += params->stride_height;
    }
    tn_clamp_outputs(output, params->output_height * params->output_width * channels, params->activation_min,
                     params->activation_max);
}
