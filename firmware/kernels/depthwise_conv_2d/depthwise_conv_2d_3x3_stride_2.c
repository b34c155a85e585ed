/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_buffer_rows.h"

#if TN_DSP

/* One row of the window for one output: x0 x1 in one word, x2 in the next. The pointer moves on by two halfwords, which
 * is the stride. */
#define FIRST_ROW(sum, row, w01, w12)                                                                                  \
    "ldrd   %[xa], %[xb], [%[" #row "]], #4\n\t"                                                                       \
    "smuad  %[" #sum "], %[xa], %[" #w01 "]\n\t"                                                                       \
    "smlabt %[" #sum "], %[xb], %[" #w12 "], %[" #sum "]\n\t"
#define NEXT_ROW(sum, row, w01, w12)                                                                                   \
    "ldrd   %[xa], %[xb], [%[" #row "]], #4\n\t"                                                                       \
    "smlad  %[" #sum "], %[xa], %[" #w01 "], %[" #sum "]\n\t"                                                          \
    "smlabt %[" #sum "], %[xb], %[" #w12 "], %[" #sum "]\n\t"
#define ROWS(sum)                                                                                                      \
    FIRST_ROW(sum, top, w01a, w12a) NEXT_ROW(sum, middle, w01b, w12b) NEXT_ROW(sum, bottom, w01c, w12c)

static TN_KERNEL void fast_row(const tn_buffered_channel *channel, const int16_t *row, int8_t *output)
{
    TN_3X3_ROW(channel, row, output, ROWS(first) ROWS(second), 8);
}

#else

#define fast_row tn_buffered_any_row

#endif

TN_KERNEL void tn_depthwise_conv_2d_3x3_stride_2(const tn_channel_buffer_params *params, const int8_t *input,
                                                 int8_t *output, int8_t *restrict scratch)
{
    tn_channel_buffers(params, input, output, scratch, fast_row);
}
