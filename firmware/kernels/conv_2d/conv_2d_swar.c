/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "gemm_swar.h"
#include "row_padding.h"

/* Where a window starts, in elements of a row and in rows; negative in the padding. */
typedef struct {
    int32_t left;
    int32_t top;
} window;

/* A row of a window: where it lies in the input, or else a copy with the padding around it in `row`. */
static TN_KERNEL const int8_t *window_row(const tn_conv_2d_im2col_params *params, const int8_t *input, int32_t left,
                                          int32_t y, int8_t *row)
{
    const int32_t count = params->kernel_width * params->input_channels;
    const int32_t input_row = params->input_width * params->input_channels;
    const int32_t zero_point = params->input_zero_point;
    if ((uint32_t)y >= params->input_height) {
        (void)tn_fill(row, zero_point, count);
        return row;
    }
    input += y * input_row;
    if ((left | (input_row - left - count)) >= 0) {
        return input + left;
    }
    const tn_row_padding padding = tn_row_padding_of(left, count, input_row);
    int8_t *to = tn_fill(row, zero_point, padding.before);
    const int8_t *from = input + (left + padding.before);
    for (int32_t i = count - padding.before - padding.after; i > 0; i--) {
        *to++ = *from++;
    }
    (void)tn_fill(to, zero_point, padding.after);
    return row;
}

/* Not negative where the window is inside the input. */
static inline int32_t room_on_all_sides(const tn_conv_2d_im2col_params *params, window w, int32_t count,
                                        int32_t input_row)
{
    return w.left | w.top | (input_row - w.left - count) | (params->input_height - w.top - params->kernel_height);
}

/* What two output pixels see becomes the two columns of a plane; `rows` has room for a row of either window. */
static TN_KERNEL void pack_windows(const tn_conv_2d_im2col_params *params, const int8_t *input, uint32_t *plane,
                                   window first, window second, int8_t *rows)
{
    const int32_t count = params->kernel_width * params->input_channels;
    const int32_t input_row = params->input_width * params->input_channels;
    const int32_t room = room_on_all_sides(params, first, count, input_row);
    if ((room | room_on_all_sides(params, second, count, input_row)) >= 0) {
        const int8_t *from = input + (first.top * input_row + first.left);
        const int32_t apart = (second.top - first.top) * input_row + (second.left - first.left);
        for (int32_t y = params->kernel_height; y > 0; y--) {
            plane = tn_pack_columns(plane, from, from + apart, count);
            from += input_row;
        }
        return;
    }
    for (int32_t y = 0; y < params->kernel_height; y++) {
        const int8_t *a = window_row(params, input, first.left, first.top + y, rows);
        const int8_t *b = window_row(params, input, second.left, second.top + y, rows + count);
        plane = tn_pack_columns(plane, a, b, count);
    }
}

/* The windows of four neighbours, in the order of the output, become four columns; of two, two. */
TN_KERNEL void tn_conv_2d_swar(const tn_conv_2d_im2col_params *params, const int8_t *restrict input,
                                 int8_t *restrict output, int8_t *restrict scratch)
{
    const int32_t outputs = params->gemm.output_channels;
    const int32_t pixels = params->output_height * params->output_width;
    const int32_t several = pixels > 1 ? 1 : 0;
    const int32_t step = params->stride_width * params->input_channels;
    const int32_t first = -(params->padding_left * params->input_channels);
    const int32_t end = first + params->output_width * step;
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    int8_t *const rows = (int8_t *)(columns + TN_PAIR_WORDS * params->gemm.pairs);
    window start = {first, -params->padding_top};
    int32_t pixel = 0; /* whose window `start` is */
    tn_planes group = tn_first_planes(pixels);
    do {
        window windows[TN_COLUMNS];
        for (start.left += (group.pixel - pixel) * step; start.left >= end; start.left -= end - first) {
            start.top += params->stride_height;
        }
        pixel = group.pixel;
        window next = start;
        for (int32_t p = 0; p < 2 * group.planes; p++) {
            windows[p] = next;
            next.left += several * step;
            if (next.left == end) {
                next.left = first;
                next.top += params->stride_height;
            }
        }
        pack_windows(params, input, columns, windows[0], windows[group.planes], rows);
        if (group.planes > 1) {
            pack_windows(params, input, columns + TN_PLANE_WORDS, windows[1], windows[3], rows);
        }
        tn_gemm_swar(&params->gemm, columns, group.planes, output + pixel * outputs, several * outputs);
    } while (tn_next_planes(&group, pixels));
    tn_clamp_outputs(output, pixels * outputs, params->gemm.activation_min, params->gemm.activation_max);
}
