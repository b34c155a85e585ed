/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/fixed_point.h"
#include "tinynas/kernels.h"
#include "tinynas/window.h"

/* The mean of the taps inside the input, halves away from zero. */
TN_KERNEL void tn_average_pool_2d(const tn_pool_2d_params *params, const int8_t *restrict input,
                                  int8_t *restrict output)
{
    const int32_t channels = params->channels;
    const int32_t input_row = params->input_width * channels;
    int32_t row_origin = -(int32_t)params->padding_top;
    for (int32_t oy = 0; oy < params->output_height; oy++) {
        const tn_taps rows = tn_taps_inside(row_origin, params->input_height, params->filter_height, 1);
        int32_t column_origin = -(int32_t)params->padding_left;
        for (int32_t ox = 0; ox < params->output_width; ox++) {
            const tn_taps columns = tn_taps_inside(column_origin, params->input_width, params->filter_width, 1);
            const int32_t count = (rows.end - rows.first) * (columns.end - columns.first);
            const int8_t *corner =
                input + (row_origin + rows.first) * input_row + (column_origin + columns.first) * channels;
            for (int32_t c = 0; c < channels; c++) {
                const int8_t *start = corner + c;
                int32_t sum = 0;
                for (int32_t row = rows.first; row < rows.end; row++) {
                    const int8_t *x = start;
                    for (int32_t column = columns.first; column < columns.end; column++) {
                        sum += *x;
                        x += channels;
                    }
                    start += input_row;
                }
                const int32_t half = count / 2;
                /* Never by zero: every window of SAME or VALID padding has a tap inside the input. */
                /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero,clang-analyzer-core.UndefinedBinaryOperatorResult) */
                const int32_t mean = (sum + (sum > 0 ? half : -half)) / count;
                output[c] = tn_clamp(mean, params->activation_min, params->activation_max);
            }
            output += channels;
            column_origin += params->stride_width;
        }
        row_origin += params->stride_height;
    }
}
