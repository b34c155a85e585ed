/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_buffer_rows.h"

#if TN_DSP

/* One row of the window for two neighbours x and x + 1, of eight taps of input in four words:
 *     first  += x0 w0 + x1 w1, + x2 w2 + x3 w3, + x4 w4 + x5 w5, + x6 w6
 *     second += x1 w0, + x2 w1 + x3 w2, + x4 w3 + x5 w4, + x6 w5 + x7 w6. */
#define ROW                                                                                                            \
    "ldrd   %[wa], %[wb], [%[w]], #8\n\t" /* w0 w1, w2 w3 */                                                           \
    "ldrd   %[wc], %[wd], [%[w]], #8\n\t" /* w4 w5, w1 w2 */                                                           \
    "ldrd   %[xa], %[xb], [%[x]]\n\t"                                                                                  \
    "smlad  %[first], %[xa], %[wa], %[first]\n\t"                                                                      \
    "smlatb %[second], %[xa], %[wa], %[second]\n\t"                                                                    \
    "smlad  %[first], %[xb], %[wb], %[first]\n\t"                                                                      \
    "smlad  %[second], %[xb], %[wd], %[second]\n\t"                                                                    \
    "ldrd   %[wa], %[wb], [%[w]], #8\n\t" /* w3 w4, w5 w6 */                                                           \
    "ldrd   %[xa], %[xb], [%[x], #8]\n\t"                                                                              \
    "smlad  %[first], %[xa], %[wc], %[first]\n\t"                                                                      \
    "smlad  %[second], %[xa], %[wa], %[second]\n\t"                                                                    \
    "smlabt %[first], %[xb], %[wb], %[first]\n\t"                                                                      \
    "smlad  %[second], %[xb], %[wb], %[second]\n\t"

static TN_KERNEL void fast_row(const tn_buffered_channel *channel, const int16_t *row, int8_t *output)
{
    TN_WIDE_ROW(channel, row, output, ROW, 4);
}

#else

#define fast_row tn_buffered_any_row

#endif

TN_KERNEL void tn_depthwise_conv_2d_width_7(const tn_channel_buffer_params *params, const int8_t *input,
                                            int8_t *output, int8_t *restrict scratch)
{
    tn_channel_buffers(params, input, output, scratch, fast_row);
}
