/* SPDX-License-Identifier: Apache-2.0
 *
 * The part that the depthwise kernels for DSP instructions share: two neighbouring outputs from their sums, and the
 * loop over a row. The kernel's own instructions leave both sums in `first` and `second`; xa, xb and t are free then.
 */
#ifndef TINYNAS_DEPTHWISE_ROWS_H
#define TINYNAS_DEPTHWISE_ROWS_H

#include "tinynas/depthwise_plane.h"

#if TN_DSP

/* Requantizes (see tn_requantize_doubled) and stores two outputs, and goes on at label 1 until `position` has reached the end.
 * Then, where the row is odd, its last output is computed with a neighbour that goes to the same address and is stored
 * first. */
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
} tn_plane_outputs;

static inline tn_plane_outputs tn_row_of_outputs(const tn_plane_channel *channel, int8_t *output)
{
    const int32_t count = channel->params->output_width;
    tn_plane_outputs outputs;
    outputs.y = tn_park((uint32_t)(uintptr_t)output);
    outputs.pairs = count >> 1;
    outputs.odd = tn_park((uint32_t)count & 1u);
    outputs.apart = channel->apart;
    if (count == 1) {
        outputs.pairs = 1;
        outputs.odd = tn_park(0);
        outputs.apart = tn_park(0);
    }
    return outputs;
}

/* The operands of TN_FINISH_OUTPUTS in floating-point registers. */
#define TN_ROW_STATE(outputs) [y] "+t"((outputs).y), [apart] "+t"((outputs).apart), [odd] "+t"((outputs).odd)
#define TN_ROW_OPERANDS(channel, end_)                                                                                 \
    [doubled_bias] "t"((channel)->doubled_bias), [rounding] "t"((channel)->rounding),                                  \
        [multiplier] "t"((channel)->parked_multiplier), [half] "t"((channel)->half), [end] "t"(end_)

#endif
#endif
