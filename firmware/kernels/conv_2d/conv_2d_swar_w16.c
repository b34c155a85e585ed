/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/dsp.h"
#include "../arithmetic/widen.h"
#include "gemm_swar_w16.h"
#include "row_padding.h"

/* Appends `count` times the zero point to a column. */
static inline uint32_t *pad(uint32_t *column, int32_t zero_point, int32_t count)
{
    for (int32_t i = count; i > 0; i--) {
        *column++ = (uint32_t)zero_point;
    }
    return column;
}

/* Widens a window that lies inside the input, row by row; `count` elements in each. In assembly 4.5 instructions for two
 * elements and eleven for a row. */
static TN_KERNEL void widen_rows(uint32_t *column, const int8_t *from, int32_t count, int32_t rows, int32_t row_step)
{
#if TN_THUMB1
    const int32_t even = count & ~1;
    if (even > 0) {
        const int8_t *first = from + even;
        const int8_t *second = first + 1;
        const int32_t begin = -even;
        /* Whether a row has an odd element is the lowest bit of the count. */
        uint32_t left = 2 * (uint32_t)rows + ((uint32_t)count & 1u);
        int32_t i;
        __asm__ volatile(".syntax unified\n" /* GCC's default here is the older syntax */
                         "1:\n\t"
                         "mov    %[i], %[begin]\n\t"
                         "lsrs   r0, %[i], #2\n\t" /* two elements are left over of fours: the loop begins with them */
                         "bcs    3f\n"
                         "2:\n\t"
                         "ldrsb  r0, [%[first], %[i]]\n\t"
                         "ldrsb  r1, [%[second], %[i]]\n\t"
                         "stmia  %[to]!, {r0, r1}\n\t"
                         "adds   %[i], #2\n"
                         "3:\n\t"
                         "ldrsb  r0, [%[first], %[i]]\n\t"
                         "ldrsb  r1, [%[second], %[i]]\n\t"
                         "stmia  %[to]!, {r0, r1}\n\t"
                         "adds   %[i], #2\n\t"
                         "bne    2b\n\t"
                         "lsrs   r0, %[left], #1\n\t"
                         "bcc    4f\n\t"
                         "ldrsb  r0, [%[first], %[i]]\n\t"
                         "stmia  %[to]!, {r0}\n"
                         "4:\n\t"
                         "add    %[first], %[row_step]\n\t"
                         "add    %[second], %[row_step]\n\t"
                         "subs   %[left], #2\n\t"
                         "cmp    %[left], #2\n\t"
                         "bhs    1b"
                         : [to] "+l"(column), [first] "+l"(first), [second] "+l"(second), [left] "+l"(left), [i] "=&l"(i)
                         : [begin] "h"(begin), [row_step] "h"(row_step)
                         : "r0", "r1", "cc", "memory");
        return;
    }
#endif
    for (int32_t y = rows; y > 0; y--) {
        column = tn_widen(column, from, count);
        from += row_step;
    }
}

/* Widens a window that reaches over a border of the input; `left` and `top` are where it starts, in elements of a row
 * and in rows. */
static TN_KERNEL void widen_beside(const tn_conv_2d_im2col_params *params, const int8_t *input, uint32_t *column,
                                   int32_t left, int32_t top)
{
    const int32_t count = params->kernel_width * params->input_channels; /* elements in a row of the window */
    const int32_t input_row = params->input_width * params->input_channels;
    const int32_t zero_point = params->input_zero_point;
    const tn_row_padding padding = tn_row_padding_of(left, count, input_row);
    const int32_t inside = count - padding.before - padding.after;
    int32_t from = top * input_row + left + padding.before; /* an index, which may lie outside the input */
    for (int32_t y = top; y < top + params->kernel_height; y++) {
        if ((uint32_t)y >= params->input_height) {
            column = pad(column, zero_point, count);
        } else {
            column = pad(column, zero_point, padding.before);
            column = tn_widen(column, input + from, inside);
            column = pad(column, zero_point, padding.after);
        }
        from += input_row;
    }
}

/* What one output pixel sees becomes the column, all output channels meet it, and then comes the next pixel. */
TN_KERNEL void tn_conv_2d_swar_w16(const tn_conv_2d_im2col_params *params, const int8_t *restrict input,
                                 int8_t *restrict output, int8_t *restrict scratch)
{
    const int32_t outputs = params->gemm.output_channels;
    const int32_t kernel_height = params->kernel_height;
    const int32_t count = params->kernel_width * params->input_channels; /* elements in a row of the window */
    const int32_t input_row = params->input_width * params->input_channels;
    const int32_t step = params->stride_width * params->input_channels;
    const int32_t first = -(params->padding_left * params->input_channels);
    const int32_t last = first + (params->output_width - 1) * step;
    uint32_t *const column = (uint32_t *)(void *)scratch;
    int8_t *to = output;
    int32_t top = -(int32_t)params->padding_top;
    tn_gemm_swar_w16 tiles;
    tn_gemm_swar_w16_begin(&tiles, &params->gemm, column);
    for (int32_t y = params->output_height; y > 0; y--) {
        const int32_t room = top | (params->input_height - top - kernel_height); /* negative where rows are outside */
        const int32_t row = top * input_row;
        for (int32_t left = first; left <= last; left += step) {
            if ((room | left | (input_row - left - count)) >= 0) {
                widen_rows(column, input + (row + left), count, kernel_height, input_row);
            } else {
                widen_beside(params, input, column, left, top);
            }
            tn_gemm_swar_w16_pixel(&tiles, to);
            to += outputs;
        }
        top += params->stride_height;
    }
    tn_clamp_outputs(output, params->output_height * params->output_width * outputs, params->gemm.activation_min,
                     params->gemm.activation_max);
}
