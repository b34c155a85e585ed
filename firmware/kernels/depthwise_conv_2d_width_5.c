/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/depthwise_rows.h"

#if TN_DSP

/* One row of the window for two neighbours x and x + 1, of six taps of input in three words:
 *     first  += x0 w0 + x1 w1, + x2 w2 + x3 w3, + x4 w4
 *     second += x1 w0, + x2 w1 + x3 w2, + x4 w3 + x5 w4. */
#define ROW                                                                                                            \
    "ldrd   %[wa], %[wb], [%[w]], #8\n\t" /* w0 w1, w2 w3 */                                                           \
    "ldrd   %[wc], %[wd], [%[w]], #8\n\t" /* w1 w2, w3 w4 */                                                           \
    "ldrd   %[xa], %[xb], [%[x]]\n\t"                                                                                  \
    "smlad  %[first], %[xa], %[wa], %[first]\n\t"                                                                      \
    "smlatb %[second], %[xa], %[wa], %[second]\n\t"                                                                    \
    "smlad  %[first], %[xb], %[wb], %[first]\n\t"                                                                      \
    "smlad  %[second], %[xb], %[wc], %[second]\n\t"                                                                    \
    "ldr    %[xa], [%[x], #8]\n\t"                                                                                     \
    "smlabt %[first], %[xa], %[wd], %[first]\n\t"                                                                      \
    "smlad  %[second], %[xa], %[wd], %[second]\n\t"

static TN_KERNEL void fast_row(const tn_plane_channel *channel, const int16_t *row, int8_t *output)
{
    tn_plane_outputs outputs = tn_row_of_outputs(channel, output);
    const float end = tn_park((uint32_t)(uintptr_t)(row + 2 * outputs.pairs));
    const float weights = tn_park((uint32_t)(uintptr_t)channel->weights);
    const float rows = tn_park(channel->params->kernel_height);
    const int32_t down = 2 * channel->params->plane_width;
    uint32_t wa, wb, wc, wd, xa, xb, t;
    const int16_t *x;
    const uint32_t *w;
    int32_t first, second;
    __asm__ volatile("1:\n\t"
                     "mov    %[x], %[window]\n\t"
                     "vmov   %[w], %[weights]\n\t"
                     "vmov   %[t], %[rows]\n\t"
                     "mov    %[first], #0\n\t"
                     "mov    %[second], #0\n\t"
                     "add    %[window], %[window], #4\n"
                     "2:\n\t" ROW
                     "add    %[x], %[x], %[down]\n\t"
                     "subs   %[t], %[t], #1\n\t"
                     "bne.w  2b\n\t" TN_FINISH_OUTPUTS(window)
                     : [window] "+r"(row), TN_ROW_STATE(outputs), [wa] "=&r"(wa), [wb] "=&r"(wb), [wc] "=&r"(wc), [wd] "=&r"(wd),
                       [x] "=&r"(x), [w] "=&r"(w), [xa] "=&r"(xa), [xb] "=&r"(xb), [t] "=&r"(t), [first] "=&r"(first),
                       [second] "=&r"(second)
                     : [down] "r"(down), [weights] "t"(weights), [rows] "t"(rows), TN_ROW_OPERANDS(channel, end)
                     : "cc", "memory");
}

#else

#define fast_row tn_plane_any_row

#endif

TN_KERNEL void tn_depthwise_conv_2d_width_5(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                         int8_t *restrict scratch)
{
    tn_depthwise_planes(params, input, output, scratch, fast_row);
}
