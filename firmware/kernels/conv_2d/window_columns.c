/* SPDX-License-Identifier: Apache-2.0 */
#include "dense.h"
#include "row_padding.h"

/* Appends `pairs` pairs of padding to a column. */
static inline uint32_t *pad(uint32_t *column, uint32_t zero_points, int32_t pairs)
{
    for (int32_t i = pairs; i > 0; i--) {
        *column = zero_points;
        column += TN_COLUMNS;
    }
    return column;
}

/* A row of the window: padding, `inside` elements of the input, padding. Channels in whole words are padded as pairs,
 * others by way of `row`, a buffer of bytes. */
static inline uint32_t *expand_partly(uint32_t *column, const int8_t *from, tn_row_padding padding, int32_t inside,
                                      int32_t zero_point, int32_t in_words, int8_t *row)
{
    if (in_words) {
        column = pad(column, tn_pair(zero_point, zero_point), padding.before >> 1);
        column = tn_expand(column, from, inside);
        return pad(column, tn_pair(zero_point, zero_point), padding.after >> 1);
    }
    int8_t *to = tn_fill(row, zero_point, padding.before);
    for (int32_t i = inside; i > 0; i--) {
        *to++ = *from++;
    }
    (void)tn_fill(to, zero_point, padding.after);
    return tn_expand(column, row, padding.before + inside + padding.after);
}

/* What one output pixel sees becomes a column; `left` and `top` are where its window starts, in elements of a row and
 * in rows. Not inlined: within all the loops its values would not fit the registers. */
static TN_KERNEL void expand_window(const tn_conv_2d_im2col_params *params, const int8_t *input, uint32_t *column,
                                    int32_t left, int32_t top, int8_t *row)
{
    const int32_t channels = params->input_channels;
    const int32_t count = params->kernel_width * channels; /* elements in a row of the window */
    const int32_t input_row = params->input_width * channels;
    int32_t rows = params->kernel_height;
    if ((left | (input_row - left - count) | top | (params->input_height - top - rows)) >= 0) { /* inside */
        const int8_t *from = input + (top * input_row + left);
        for (; rows > 0; rows--) {
            column = tn_expand(column, from, count);
            from += input_row;
        }
        return;
    }
    const int32_t zero_point = params->input_zero_point;
    const tn_row_padding padding = tn_row_padding_of(left, count, input_row);
    const int32_t inside = count - padding.before - padding.after;
    for (int32_t y = top; y < top + rows; y++) {
        if ((uint32_t)y >= params->input_height) {
            column = pad(column, tn_pair(zero_point, zero_point), (count + 1) >> 1);
        } else {
            column = expand_partly(column, input + (y * input_row + left + padding.before), padding, inside, zero_point,
                                   (channels & 3) == 0, row);
        }
    }
}

TN_KERNEL void tn_window_columns(const tn_conv_2d_im2col_params *params, const int8_t *input, int32_t pixel,
                                 int32_t several, uint32_t *columns)
{
    const int32_t width = params->output_width;
    const int32_t step = params->stride_width * params->input_channels;
    int8_t *const row = (int8_t *)(columns + params->gemm.pairs * TN_COLUMNS);
    const int32_t oy = pixel / width;
    int32_t ox = pixel - oy * width;
    int32_t top = oy * params->stride_height - params->padding_top;
    uint32_t *const end = columns + (several ? TN_COLUMNS : 1);
    for (; columns != end; columns++) {
        expand_window(params, input, columns, ox * step - params->padding_left * params->input_channels, top, row);
        ox++;
        if (ox == width) {
            ox = 0;
            top += params->stride_height;
        }
    }
}
