/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_buffer_rows.h"

#if TN_DSP

/* One row of the window for two neighbours x and x + 2, of nine taps of input in five words. */
#define ROW                                                                                                            \
    "ldrd   %[wa], %[wb], [%[w]], #8\n\t" /* w0 w1, w2 w3 */                                                           \
    "ldrd   %[wc], %[wd], [%[w]], #8\n\t" /* w4 w5, w6 0 */                                                            \
    "ldrd   %[xa], %[xb], [%[x]]\n\t"                                                                                  \
    "smlad  %[first], %[xa], %[wa], %[first]\n\t"                                                                      \
    "smlad  %[first], %[xb], %[wb], %[first]\n\t"                                                                      \
    "smlad  %[second], %[xb], %[wa], %[second]\n\t"                                                                    \
    "ldrd   %[xa], %[xb], [%[x], #8]\n\t"                                                                              \
    "smlad  %[first], %[xa], %[wc], %[first]\n\t"                                                                      \
    "smlad  %[second], %[xa], %[wb], %[second]\n\t"                                                                    \
    "smlad  %[first], %[xb], %[wd], %[first]\n\t"                                                                      \
    "smlad  %[second], %[xb], %[wc], %[second]\n\t"                                                                    \
    "ldr    %[xa], [%[x], #16]\n\t"                                                                                    \
    "smlad  %[second], %[xa], %[wd], %[second]\n\t"

static TN_KERNEL void fast_row(const tn_buffered_channel *channel, const int16_t *row, int8_t *output)
{
    TN_WIDE_ROW(channel, row, output, ROW, 8);
}

#else

#define fast_row tn_buffered_any_row

#endif

TN_KERNEL void tn_depthwise_conv_2d_width_7_stride_2(const tn_channel_buffer_params *params, const int8_t *input,
                                                     int8_t *output, int8_t *restrict scratch)
{
    tn_channel_buffers(params, input, output, scratch, fast_row);
}
