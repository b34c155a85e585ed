/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "channel_buffer_swar.h"

enum { SIZE = 3 };

#if TN_THUMB1

/* Two outputs in 92 instructions. Products are added in pairs, across the ends of rows: w0 w1, w2 v0, v1 v2, u0 u1, and
 * u2. */
#define SUMS                                                                                                           \
    TN_HALF_SUMS                                                                                                       \
    "ldmia  %[x]!, {r0, r1, r2}\n\t"                                                                                   \
    "ldmia  %[w]!, {r3, r4}\n\t"                                                                                       \
    "muls   r0, r3, r0\n\t"                                                                                            \
    "muls   r1, r4, r1\n\t"                                                                                            \
    "adds   r0, r0, r1\n\t" TN_ADD_HALVES("r0")                                                                        \
    "ldmia  %[w]!, {r3, r4}\n\t"                                                                                       \
    "muls   r2, r3, r2\n\t"                                                                                            \
    "add    %[x], %[down]\n\t"                                                                                         \
    "ldmia  %[x]!, {r0, r1, r3}\n\t"                                                                                   \
    "muls   r0, r4, r0\n\t"                                                                                            \
    "adds   r0, r0, r2\n\t" TN_ADD_HALVES("r0")                                                                        \
    "ldmia  %[w]!, {r2, r4}\n\t"                                                                                       \
    "muls   r1, r2, r1\n\t"                                                                                            \
    "muls   r3, r4, r3\n\t"                                                                                            \
    "adds   r1, r1, r3\n\t" TN_ADD_HALVES("r1")                                                                        \
    "add    %[x], %[down]\n\t"                                                                                         \
    "ldmia  %[x]!, {r0, r1, r2}\n\t"                                                                                   \
    "ldmia  %[w]!, {r3, r4}\n\t"                                                                                       \
    "muls   r0, r3, r0\n\t"                                                                                            \
    "muls   r1, r4, r1\n\t"                                                                                            \
    "adds   r0, r0, r1\n\t" TN_ADD_HALVES("r0")                                                                        \
    "ldmia  %[w]!, {r3}\n\t"                                                                                           \
    "muls   r2, r3, r2\n\t" TN_ADD_HALVES("r2")

static TN_KERNEL void channel(const tn_channel_buffer_params *params, uint32_t *table, const uint32_t *buffer,
                              int8_t *output)
{
    const uint32_t *x = buffer;
    const uint32_t *w = table + TN_TABLE_HEAD;
    const uint32_t *end = buffer + params->stride_width * params->output_width;
    const int32_t down = 4 * (params->buffer_width - SIZE);
    __asm__ volatile(".syntax unified\n" /* GCC's default here is the older syntax */
                     SUMS TN_FINISH_HALVES
                     : [x] "+l"(x), [w] "+l"(w), [y] "+h"(output), [end] "+h"(end)
                     : [down] "h"(down)
                     : "r0", "r1", "r2", "r3", "r4", "r5", "r12", "cc", "memory");
}

#else

#define channel NULL

#endif

TN_KERNEL void tn_depthwise_conv_2d_swar_3x3(const tn_channel_buffer_params *params, const int8_t *input,
                                                    int8_t *output, int8_t *restrict scratch)
{
    tn_channel_buffer_swar(params, input, output, scratch, (SIZE - 1) * params->buffer_width + SIZE, channel);
}
