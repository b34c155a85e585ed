/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/clamp_outputs.h"
#include "tinynas/packed_tiles.h"

/* Where a window starts, in elements of a row and in rows; negative in the padding. */
typedef struct {
    int32_t left;
    int32_t top;
} window;

static inline int8_t *fill(int8_t *bytes, int32_t value, int32_t count)
{
    for (int32_t i = count; i > 0; i--) {
        *bytes++ = (int8_t)value;
    }
    return bytes;
}

/* A row of a window: where it lies in the input, or else a copy with the padding around it in `row`. */
static TN_KERNEL const int8_t *window_row(const tn_conv_2d_im2col_params *params, const int8_t *input, int32_t left,
                                          int32_t y, int8_t *row)
{
    const int32_t count = params->kernel_width * params->input_channels;
    const int32_t input_row = params->input_width * params->input_channels;
    const int32_t missing = left + count - input_row;
    const int32_t zero_point = params->input_zero_point;
    if ((uint32_t)y >= params->input_height) {
        (void)fill(row, zero_point, count);
        return row;
    }
    input += y * input_row;
    if ((left | -missing) >= 0) {
        return input + left;
    }
    int32_t before = left < 0 ? -left : 0;
    before = before < count ? before : count;
    int32_t after = missing > 0 ? missing : 0;
    after = after < count - before ? after : count - before;
    int8_t *to = fill(row, zero_point, before);
    const int8_t *from = input + (left + before);
    for (int32_t i = count - before - after; i > 0; i--) {
        *to++ = *from++;
    }
    (void)fill(to, zero_point, after);
    return row;
}

/* Not negative where the window is inside the input on all sides. */
static inline int32_t is_inside(const tn_conv_2d_im2col_params *params, window w, int32_t count, int32_t input_row)
{
    return w.left | w.top | (input_row - w.left - count) | (params->input_height - w.top - params->kernel_height);
}

/* What two output pixels see becomes the two columns of a plane; `rows` has room for a row of either window. */
static TN_KERNEL void pack_windows(const tn_conv_2d_im2col_params *params, const int8_t *input, uint32_t *plane,
                                   const window *windows, int8_t *rows)
{
    const int32_t count = params->kernel_width * params->input_channels;
    const int32_t input_row = params->input_width * params->input_channels;
    const window first = windows[0];
    const window second = windows[2];
    if ((is_inside(params, first, count, input_row) | is_inside(params, second, count, input_row)) >= 0) {
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

/* The windows of four neighbours, in the order of the output, become four columns. Of pixels that four do not divide, some
 * of the last four are computed twice; fewer than four are computed one by one, each as four equal columns. */
TN_KERNEL void tn_conv_2d_packed(const tn_conv_2d_im2col_params *params, const int8_t *restrict input,
                                 int8_t *restrict output, int8_t *restrict scratch)
{
    const int32_t outputs = params->dot.output_channels;
    const int32_t width = params->output_width;
    const int32_t pixels = params->output_height * width;
    const int32_t step = params->stride_width * params->input_channels;
    const int32_t several = pixels >= TN_PACKED_COLUMNS ? 1 : 0;
    const int32_t group = several ? TN_PACKED_COLUMNS : 1;
    const int32_t last = pixels - group;
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    int8_t *const rows = (int8_t *)(columns + TN_PAIR_WORDS * params->dot.pairs);
    int32_t ox = 0;
    int32_t top = -params->padding_top;
    int32_t pixel = 0;
    for (;;) {
        window windows[TN_PACKED_COLUMNS];
        int32_t x = ox;
        int32_t y = top;
        for (int32_t p = 0; p < TN_PACKED_COLUMNS; p++) {
            windows[p].left = x * step - params->padding_left * params->input_channels;
            windows[p].top = y;
            x += several;
            if (x == width) {
                x = 0;
                y += params->stride_height;
            }
        }
        pack_windows(params, input, columns, windows, rows);
        pack_windows(params, input, columns + TN_PLANE_WORDS, windows + 1, rows);
        tn_packed_tiles(&params->dot, columns, output + pixel * outputs, several * outputs);
        if (pixel == last) {
            break;
        }
        const int32_t advance = last - pixel < group ? last - pixel : group;
        pixel += advance;
        ox += advance;
        while (ox >= width) {
            ox -= width;
            top += params->stride_height;
        }
    }
    tn_clamp_outputs(output, pixels * outputs, params->dot.activation_min, params->dot.activation_max);
}
