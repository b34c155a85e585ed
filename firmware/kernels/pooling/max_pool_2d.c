/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/fixed_point.h"
#include "../arithmetic/window.h"
#include "pooling.h"

/* The largest of the taps inside the input. */
TN_KERNEL void tn_max_pool_2d(const tn_pool_2d_params *params, const int8_t *restrict input, int8_t *restrict output)
{
    const int32_t channels = params->channels;
    const int32_t input_row = params->input_width * channels;
    int32_t row_origin = -(int32_t)params->padding_top;
    for (int32_t oy = 0; oy < params->output_height; oy++) {
        const tn_taps rows = tn_taps_inside(row_origin, params->input_height, params->filter_height, 1);
        int32_t column_origin = -(int32_t)params->padding_left;
        for (int32_t ox = 0; ox < params->output_width; ox++) {
            const tn_taps columns = tn_taps_inside(column_origin, params->input_width, params->filter_width, 1);
            const int8_t *corner =
                input + (row_origin + rows.first) * input_row + (column_origin + columns.first) * channels;
            for (int32_t c = 0; c < channels; c++) {
                const int8_t *start = corner + c;
                int32_t largest = INT8_MIN;
                for (int32_t row = rows.first; row < rows.end; row++) {
                    const int8_t *x = start;
                    for (int32_t column = columns.first; column < columns.end; column++) {
                        largest = *x > largest ? *x : largest;
                        x += channels;
                    }
                    start += input_row;
                }
                output[c] = tn_clamp(largest, params->activation_min, params->activation_max);
            }
            output += channels;
            column_origin += params->stride_width;
        }
        row_origin += params->stride_height;
    }
}
