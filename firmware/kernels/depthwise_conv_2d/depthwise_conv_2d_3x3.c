/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_buffer_rows.h"

#if TN_DSP

/* One row of the window for two neighbours x and x + 1: four taps of input lie in two words, x0 x1 and x2 x3, and the
 * weights in w0 w1 and w1 w2, so that
 *     first  += x0 w0 + x1 w1 (SMLAD), + x2 w2 (SMLABT)
 *     second += x1 w0 (SMLATB), + x2 w1 + x3 w2 (SMLAD).
 * The pointer moves on by two halfwords: the second word is the first of the next two neighbours. */
#define FIRST_ROW(row, w01, w12)                                                                                       \
    "ldrd   %[xa], %[xb], [%[" #row "]], #4\n\t"                                                                       \
    "smuad  %[first], %[xa], %[" #w01 "]\n\t"                                                                          \
    "smultb %[second], %[xa], %[" #w01 "]\n\t"                                                                         \
    "smlabt %[first], %[xb], %[" #w12 "], %[first]\n\t"                                                                \
    "smlad  %[second], %[xb], %[" #w12 "], %[second]\n\t"
#define NEXT_ROW(row, w01, w12)                                                                                        \
    "ldrd   %[xa], %[xb], [%[" #row "]], #4\n\t"                                                                       \
    "smlad  %[first], %[xa], %[" #w01 "], %[first]\n\t"                                                                \
    "smlatb %[second], %[xa], %[" #w01 "], %[second]\n\t"                                                              \
    "smlabt %[first], %[xb], %[" #w12 "], %[first]\n\t"                                                                \
    "smlad  %[second], %[xb], %[" #w12 "], %[second]\n\t"

static TN_KERNEL void fast_row(const tn_buffered_channel *channel, const int16_t *row, int8_t *output)
{
    TN_3X3_ROW(channel, row, output,
               FIRST_ROW(top, w01a, w12a) NEXT_ROW(middle, w01b, w12b) NEXT_ROW(bottom, w01c, w12c), 4);
}

#else

#define fast_row tn_buffered_any_row

#endif

TN_KERNEL void tn_depthwise_conv_2d_3x3(const tn_channel_buffer_params *params, const int8_t *input, int8_t *output,
                                        int8_t *restrict scratch)
{
    tn_channel_buffers(params, input, output, scratch, fast_row);
}
