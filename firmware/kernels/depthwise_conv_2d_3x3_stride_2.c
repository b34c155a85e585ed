/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/depthwise_rows.h"

#if TN_DSP

/* One row of the window for one output: x0 x1 in one word, x2 in the next. The pointer moves on by two halfwords, which is
 * the stride. */
#define FIRST_ROW(sum, row, w01, w12)                                                                                  \
    "ldrd   %[xa], %[xb], [%[" #row "]], #4\n\t"                                                                       \
    "smuad  %[" #sum "], %[xa], %[" #w01 "]\n\t"                                                                       \
    "smlabt %[" #sum "], %[xb], %[" #w12 "], %[" #sum "]\n\t"
#define NEXT_ROW(sum, row, w01, w12)                                                                                  \
    "ldrd   %[xa], %[xb], [%[" #row "]], #4\n\t"                                                                       \
    "smlad  %[" #sum "], %[xa], %[" #w01 "], %[" #sum "]\n\t"                                                                       \
    "smlabt %[" #sum "], %[xb], %[" #w12 "], %[" #sum "]\n\t"
#define ROWS(sum)                                                                                                      \
    FIRST_ROW(sum, top, w01a, w12a) NEXT_ROW(sum, middle, w01b, w12b) NEXT_ROW(sum, bottom, w01c, w12c)

/* Six pairs of weights, three pointers, two words of input and two sums leave one register. */
static TN_KERNEL void fast_row(const tn_plane_channel *channel, const int16_t *row, int8_t *output)
{
    const int32_t width = channel->params->plane_width;
    const int16_t *middle = row + width;
    const int16_t *bottom = middle + width;
    tn_plane_outputs outputs = tn_row_of_outputs(channel, output);
    const float end = tn_park((uint32_t)(uintptr_t)(row + 4 * outputs.pairs));
    const uint32_t *t = channel->weights;
    uint32_t w01a, w12a, w01b, w12b, w01c, w12c, xa, xb;
    int32_t first, second;
    __asm__ volatile("ldrd   %[w01a], %[w12a], [%[t]]\n\t"
                     "ldrd   %[w01b], %[w12b], [%[t], #8]\n\t"
                     "ldrd   %[w01c], %[w12c], [%[t], #16]\n"
                     "1:\n\t" ROWS(first) ROWS(second)
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

TN_KERNEL void tn_depthwise_conv_2d_3x3_stride_2(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                                        int8_t *restrict scratch)
{
    tn_depthwise_planes(params, input, output, scratch, fast_row);
}
