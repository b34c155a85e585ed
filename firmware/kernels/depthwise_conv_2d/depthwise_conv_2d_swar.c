/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "channel_buffer_swar.h"

#if TN_THUMB1

/* Ten instructions for two taps of two outputs, five for each row of the window, and 54 for both outputs. */
#define SUMS                                                                                                           \
    TN_HALF_SUMS                                                                                                       \
    "2:\n\t"                                                                                                           \
    "mov    r4, %[span]\n\t"                                                                                           \
    "adds   r4, r4, %[x]\n"                                                                                            \
    "3:\n\t"                                                                                                           \
    "ldmia  %[x]!, {r0, r1}\n\t"                                                                                       \
    "ldmia  %[w]!, {r2, r3}\n\t"                                                                                       \
    "muls   r0, r2, r0\n\t"                                                                                            \
    "muls   r1, r3, r1\n\t"                                                                                            \
    "adds   r0, r0, r1\n\t" TN_ADD_HALVES("r0")                                                                        \
    "cmp    %[x], r4\n\t"                                                                                              \
    "bne    3b\n\t"                                                                                                    \
    "add    %[x], %[down]\n\t"                                                                                         \
    "cmp    %[w], lr\n\t"                                                                                              \
    "bne    2b\n\t"

static TN_KERNEL void channel(const tn_channel_buffer_params *params, uint32_t *table, const uint32_t *buffer,
                              int8_t *output)
{
    const uint32_t *x = buffer;
    const uint32_t *w = table + TN_TABLE_HEAD;
    const uint32_t *end = buffer + params->stride_width * params->output_width;
    register const uint32_t *weights_end __asm__("r4") = w + 2 + params->kernel_height * params->row_words;
    const int32_t span = 4 * params->row_words;
    const int32_t down = 4 * params->buffer_width - span;
    __asm__ volatile(".syntax unified\n" /* GCC's default here is the older syntax */
                     "mov    lr, %[weights_end]\n" SUMS TN_FINISH_HALVES
                     : [x] "+l"(x), [w] "+l"(w), [y] "+h"(output), [end] "+h"(end), [weights_end] "+l"(weights_end)
                     : [down] "h"(down), [span] "h"(span)
                     : "r0", "r1", "r2", "r3", "r5", "r12", "lr", "cc", "memory");
}

#else

#define channel NULL

#endif

TN_KERNEL void tn_depthwise_conv_2d_swar(const tn_channel_buffer_params *params, const int8_t *input,
                                                int8_t *output, int8_t *restrict scratch)
{
    tn_channel_buffer_swar(params, input, output, scratch, params->kernel_height * params->buffer_width, channel);
}
