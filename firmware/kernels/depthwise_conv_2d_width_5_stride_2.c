/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/depthwise_rows.h"

#if TN_DSP

/* One row of the window for two neighbours x and x + 2, of seven taps of input in four words. */
#define ROW                                                                                                            \
    "ldrd   %[wa], %[wb], [%[w]], #8\n\t" /* w0 w1, w2 w3 */                                                           \
    "ldr    %[wc], [%[w]], #4\n\t"        /* w4 0 */                                                                   \
    "ldrd   %[xa], %[xb], [%[x]]\n\t"                                                                                  \
    "smlad  %[first], %[xa], %[wa], %[first]\n\t"                                                                      \
    "smlad  %[first], %[xb], %[wb], %[first]\n\t"                                                                      \
    "smlad  %[second], %[xb], %[wa], %[second]\n\t"                                                                    \
    "ldrd   %[xa], %[xb], [%[x], #8]\n\t"                                                                              \
    "smlad  %[first], %[xa], %[wc], %[first]\n\t"                                                                      \
    "smlad  %[second], %[xa], %[wb], %[second]\n\t"                                                                    \
    "smlad  %[second], %[xb], %[wc], %[second]\n\t"

static TN_KERNEL void fast_row(const tn_plane_channel *channel, const int16_t *row, int8_t *output)
{
    tn_plane_outputs outputs = tn_row_of_outputs(channel, output);
    const float end = tn_park((uint32_t)(uintptr_t)(row + 4 * outputs.pairs));
    const float weights = tn_park((uint32_t)(uintptr_t)channel->weights);
    const float rows = tn_park(channel->params->kernel_height);
    const int32_t down = 2 * channel->params->plane_width;
    uint32_t wa, wb, wc, xa, xb, t;
    const int16_t *x;
    const uint32_t *w;
    int32_t first, second;
    __asm__ volatile("1:\n\t"
                     "mov    %[x], %[window]\n\t"
                     "vmov   %[w], %[weights]\n\t"
                     "vmov   %[t], %[rows]\n\t"
                     "mov    %[first], #0\n\t"
                     "mov    %[second], #0\n\t"
                     "add    %[window], %[window], #8\n"
                     "2:\n\t" ROW
                     "add    %[x], %[x], %[down]\n\t"
                     "subs   %[t], %[t], #1\n\t"
                     "bne.w  2b\n\t" TN_FINISH_OUTPUTS(window)
                     : [window] "+r"(row), TN_ROW_STATE(outputs), [wa] "=&r"(wa), [wb] "=&r"(wb), [wc] "=&r"(wc),
                       [x] "=&r"(x), [w] "=&r"(w), [xa] "=&r"(xa), [xb] "=&r"(xb), [t] "=&r"(t), [first] "=&r"(first),
                       [second] "=&r"(second)
                     : [down] "r"(down), [weights] "t"(weights), [rows] "t"(rows), TN_ROW_OPERANDS(channel, end)
                     : "cc", "memory");
}

#else

#define fast_row tn_plane_any_row

#endif

TN_KERNEL void tn_depthwise_conv_2d_width_5_stride_2(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                         int8_t *restrict scratch)
{
    tn_depthwise_planes(params, input, output, scratch, fast_row);
}
