/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/depthwise_rows.h"

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
#define NEXT_ROW(row, w01, w12)                                                                                       \
    "ldrd   %[xa], %[xb], [%[" #row "]], #4\n\t"                                                                       \
    "smlad  %[first], %[xa], %[" #w01 "], %[first]\n\t"                                                                          \
    "smlatb %[second], %[xa], %[" #w01 "], %[second]\n\t"                                                                         \
    "smlabt %[first], %[xb], %[" #w12 "], %[first]\n\t"                                                                \
    "smlad  %[second], %[xb], %[" #w12 "], %[second]\n\t"

/* Six pairs of weights, three pointers, two words of input and two sums leave one register. */
static TN_KERNEL void fast_row(const tn_plane_channel *channel, const int16_t *row, int8_t *output)
{
    const int32_t width = channel->params->plane_width;
    const int16_t *middle = row + width;
    const int16_t *bottom = middle + width;
    tn_plane_outputs outputs = tn_row_of_outputs(channel, output);
    const float end = tn_park((uint32_t)(uintptr_t)(row + 2 * outputs.pairs));
    const uint32_t *t = channel->weights;
    uint32_t w01a, w12a, w01b, w12b, w01c, w12c, xa, xb;
    int32_t first, second;
    __asm__ volatile("ldrd   %[w01a], %[w12a], [%[t]]\n\t"
                     "ldrd   %[w01b], %[w12b], [%[t], #8]\n\t"
                     "ldrd   %[w01c], %[w12c], [%[t], #16]\n"
                     "1:\n\t" FIRST_ROW(top, w01a, w12a) NEXT_ROW(middle, w01b, w12b) NEXT_ROW(bottom, w01c, w12c)
                         TN_FINISH_OUTPUTS(top)
                     : [top] "+&r"(row), [middle] "+&r"(middle), [bottom] "+&r"(bottom), [t] "+&r"(t), TN_ROW_STATE(outputs),
                       [w01a] "=&r"(w01a), [w12a] "=&r"(w12a), [w01b] "=&r"(w01b), [w12b] "=&r"(w12b),
                       [w01c] "=&r"(w01c), [w12c] "=&r"(w12c), [xa] "=&r"(xa), [xb] "=&r"(xb), [first] "=&r"(first),
                       [second] "=&r"(second)
                     : TN_ROW_OPERANDS(channel, end)
                     : "cc", "memory");
}

#else

#define fast_row tn_plane_any_row

#endif

TN_KERNEL void tn_depthwise_conv_2d_3x3(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                                        int8_t *restrict scratch)
{
    tn_depthwise_planes(params, input, output, scratch, fast_row);
}
