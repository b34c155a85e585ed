/* SPDX-License-Identifier: Apache-2.0
 *
 * The part that the depthwise kernels for DSP instructions share: two neighbouring outputs from their sums, and the
 * loop over a row. The kernel's own instructions leave both sums in `first` and `second`; xa, xb and t are free then.
 */
#ifndef TINYNAS_CHANNEL_BUFFER_ROWS_H
#define TINYNAS_CHANNEL_BUFFER_ROWS_H

#include "channel_buffer.h"

#if TN_DSP

/* Requantizes (see tn_requantize_doubled) and stores two outputs, and goes on at label 1 until `position` has reached
 * the end. Then, where the row is odd, its last output is computed with a neighbour that goes to the same address and
 * is stored first. */
#define TN_FINISH_OUTPUTS(position)                                                                                    \
    "vmov   %[xb], %[doubled_bias]\n\t"                                                                                \
    "add    %[first], %[xb], %[first], lsl #1\n\t"                                                                     \
    "add    %[second], %[xb], %[second], lsl #1\n\t"                                                                   \
    "vmov   %[xb], %[rounding]\n\t"                                                                                    \
    "add    %[xa], %[xb], %[first], asr #31\n\t"                                                                       \
    "add    %[xb], %[xb], %[second], asr #31\n\t"                                                                      \
    "vmov   %[t], %[multiplier]\n\t"                                                                                   \
    "smmlar %[first], %[first], %[t], %[xa]\n\t"                                                                       \
    "smmlar %[second], %[second], %[t], %[xb]\n\t"                                                                     \
    "vmov   %[t], %[half]\n\t"                                                                                         \
    "asr    %[first], %[first], %[t]\n\t"                                                                              \
    "asr    %[second], %[second], %[t]\n\t"                                                                            \
    "ssat   %[first], #8, %[first], asr #1\n\t"                                                                        \
    "ssat   %[second], #8, %[second], asr #1\n\t"                                                                      \
    "vmov   %[t], %[y]\n\t"                                                                                            \
    "vmov   %[xa], %[apart]\n\t"                                                                                       \
    "strb   %[second], [%[t], %[xa]]\n\t"                                                                              \
    "strb   %[first], [%[t]]\n\t"                                                                                      \
    "add    %[t], %[t], %[xa], lsl #1\n\t"                                                                             \
    "vmov   %[y], %[t]\n\t"                                                                                            \
    "vmov   %[xa], %[end]\n\t"                                                                                         \
    "cmp    %[" #position "], %[xa]\n\t"                                                                               \
    "blo.w  1b\n\t"                                                                                                    \
    "vmov   %[xa], %[odd]\n\t"                                                                                         \
    "cmp    %[xa], #0\n\t"                                                                                             \
    "mov    %[xa], #0\n\t"                                                                                             \
    "vmov   %[odd], %[xa]\n\t"                                                                                         \
    "vmov   %[apart], %[xa]\n\t"                                                                                       \
    "bne.w  1b"

/* A row of outputs on its way: what TN_FINISH_OUTPUTS changes, and where the pairs of outputs end. */
typedef struct {
    float y;
    float apart;
    float odd;
    int32_t pairs;
} tn_buffered_outputs;

static inline tn_buffered_outputs tn_row_of_outputs(const tn_buffered_channel *channel, int8_t *output)
{
    const int32_t count = channel->params->output_width;
    tn_buffered_outputs outputs;
    outputs.y = tn_park((uint32_t)(uintptr_t)output);
    outputs.pairs = count >> 1;
    outputs.odd = tn_park((uint32_t)count & 1u);
    outputs.apart = channel->apart.parked;
    if (count == 1) {
        outputs.pairs = 1;
        outputs.odd = tn_park(0);
        outputs.apart = tn_park(0);
    }
    return outputs;
}

/* The operands of TN_FINISH_OUTPUTS in floating-point registers. */
#define TN_ROW_STATE(outputs) [y] "+&t"((outputs).y), [apart] "+&t"((outputs).apart), [odd] "+&t"((outputs).odd)
#define TN_ROW_OPERANDS(channel, end_)                                                                                 \
    [doubled_bias] "t"((channel)->doubled_bias.parked), [rounding] "t"((channel)->rounding.parked),                    \
        [multiplier] "t"((channel)->parked_multiplier.parked), [half] "t"((channel)->half.parked), [end] "t"(end_)

/* The body of a function that computes a row with windows of 3 x 3. ROWS computes both sums from the rows of the window
 * that start at top, middle and bottom, which it moves on by two halfwords for each LDRD, and from the pairs of weights
 * w01a, w12a to w01c, w12c, a pair for either end of each row. `step` is how many bytes of the buffer two outputs are
 * apart from the next two. Six pairs of weights, three pointers, two words of input and two sums leave one register. */
#define TN_3X3_ROW(channel, row, output, ROWS, step)                                                                   \
    const int32_t width = (channel)->params->buffer_width;                                                             \
    const int16_t *middle = (row) + width;                                                                             \
    const int16_t *bottom = middle + width;                                                                            \
    tn_buffered_outputs outputs = tn_row_of_outputs(channel, output);                                                  \
    const float end = tn_park((uint32_t)(uintptr_t)(row) + (uint32_t)((step) * outputs.pairs));                        \
    const uint32_t *t = (channel)->weights;                                                                            \
    uint32_t w01a, w12a, w01b, w12b, w01c, w12c, xa, xb;                                                               \
    int32_t first, second;                                                                                             \
    __asm__ volatile("ldrd   %[w01a], %[w12a], [%[t]]\n\t"                                                             \
                     "ldrd   %[w01b], %[w12b], [%[t], #8]\n\t"                                                         \
                     "ldrd   %[w01c], %[w12c], [%[t], #16]\n"                                                          \
                     "1:\n\t" ROWS TN_FINISH_OUTPUTS(top)                                                              \
                     : [top] "+&r"(row), [middle] "+&r"(middle), [bottom] "+&r"(bottom), [t] "+&r"(t),                 \
                       TN_ROW_STATE(outputs), [w01a] "=&r"(w01a), [w12a] "=&r"(w12a), [w01b] "=&r"(w01b),              \
                       [w12b] "=&r"(w12b), [w01c] "=&r"(w01c), [w12c] "=&r"(w12c), [xa] "=&r"(xa), [xb] "=&r"(xb),     \
                       [first] "=&r"(first), [second] "=&r"(second)                                                    \
                     : TN_ROW_OPERANDS(channel, end)                                                                   \
                     : "cc", "memory")

/* The body of a function that computes a row with windows of any height. ROW adds one row of the window to both sums:
 * it reads input at x, and weights at w, which it moves on, into wa to wd. `step` is how many bytes of the buffer two
 * outputs are apart from the next two. */
#define TN_WIDE_ROW(channel, row, output, ROW, step)                                                                   \
    tn_buffered_outputs outputs = tn_row_of_outputs(channel, output);                                                  \
    const float end = tn_park((uint32_t)(uintptr_t)(row) + (uint32_t)((step) * outputs.pairs));                        \
    const float weights = tn_park((uint32_t)(uintptr_t)(channel)->weights);                                            \
    const float rows = tn_park((channel)->params->kernel_height);                                                      \
    const int32_t down = 2 * (channel)->params->buffer_width;                                                          \
    uint32_t wa, wb, wc, wd, xa, xb, t;                                                                                \
    const int16_t *x;                                                                                                  \
    const uint32_t *w;                                                                                                 \
    int32_t first, second;                                                                                             \
    __asm__ volatile("1:\n\t"                                                                                          \
                     "mov    %[x], %[window]\n\t"                                                                      \
                     "vmov   %[w], %[weights]\n\t"                                                                     \
                     "vmov   %[t], %[rows]\n\t"                                                                        \
                     "mov    %[first], #0\n\t"                                                                         \
                     "mov    %[second], #0\n\t"                                                                        \
                     "add    %[window], %[window], #" #step "\n"                                                       \
                     "2:\n\t" ROW                                                                                      \
                     "add    %[x], %[x], %[down]\n\t"                                                                  \
                     "subs   %[t], %[t], #1\n\t"                                                                       \
                     "bne.w  2b\n\t" TN_FINISH_OUTPUTS(window)                                                         \
                     : [window] "+&r"(row), TN_ROW_STATE(outputs), [wa] "=&r"(wa), [wb] "=&r"(wb), [wc] "=&r"(wc),     \
                       [wd] "=&r"(wd), [x] "=&r"(x), [w] "=&r"(w), [xa] "=&r"(xa), [xb] "=&r"(xb), [t] "=&r"(t),       \
                       [first] "=&r"(first), [second] "=&r"(second)                                                    \
                     : [down] "r"(down), [weights] "t"(weights), [rows] "t"(rows), TN_ROW_OPERANDS(channel, end)       \
                     : "cc", "memory")

#endif
#endif
