/* SPDX-License-Identifier: Apache-2.0
 *
 * What the depthwise kernels for Armv6-M share. As in channel_buffer.h, one channel at a time is gathered into
 * scratch, so that results may take its place. But a word of the buffer holds two pixels, x + (y << 16) as a number, y
 * half the output's rows below x: one multiplication by a weight w computes x * w + (y * w << 16), a tap of two
 * outputs. Of an odd number of rows the one in the middle belongs to both halves, and is computed twice.
 *
 * What the assembly reads for each channel lies before the buffer in one table, in the order in which it is read, so
 * that LDM loads several words at once:
 *
 *     row_x, row_end, row_y    what is added after a row: to the pointers into buffer and output, and to its end
 *     rows                     left to do: the assembly counts it down
 *     both_biases, bias        bias + (bias << 16), and the bias
 *     weights                  a word each; where pairs are wanted, a row is even and may end with a zero
 *     p0, p1, p2, rounding     of TN_SCALE_BY_THREE; twice, for each half
 *     right                    the right shift
 *     apart, step              from an output to that of the other half, and to the next of the same half
 *     back                     from behind a window to the next window
 *     length                   bytes from both_biases to the end
 */
#ifndef TINYNAS_CHANNEL_BUFFER_SWAR_H
#define TINYNAS_CHANNEL_BUFFER_SWAR_H

#include "../arithmetic/armv6m.h"
#include "depthwise_conv_2d.h"

/* Words of the table: up to `rows`, the biases, all for the requantization, the rest; and all of these. */
enum {
    TN_TABLE_HEAD = 4,
    TN_TABLE_BIASES = 2,
    TN_TABLE_SCALES = 9,
    TN_TABLE_STEPS = 4,
    TN_TABLE_WORDS = TN_TABLE_HEAD + TN_TABLE_BIASES + TN_TABLE_SCALES + TN_TABLE_STEPS,
};

/* Computes a channel's outputs; `table` is laid out as at the top of this file. */
typedef void tn_swar_channel(const tn_channel_buffer_params *params, uint32_t *table, const uint32_t *buffer,
                                    int8_t *output);

/* Any window, weight and multiplier, in portable C; `constants` are those of the channel. */
void tn_swar_any(const tn_channel_buffer_params *params, const uint32_t *constants, const uint32_t *buffer,
                        int8_t *output);

/* Fills the buffer with the input's zero point, once for all channels. */
void tn_clear_buffer_swar(const tn_channel_buffer_params *params, uint32_t *buffer);

/* Copies the channel that starts at `input` into the buffer. */
void tn_gather_channel_swar(const tn_channel_buffer_params *params, const int8_t *input, uint32_t *buffer);

/* Writes what is the same in the tables of all channels. `window` is how many words of the buffer the assembly goes on
 * by while it reads a window. */
void tn_swar_steps(const tn_channel_buffer_params *params, int32_t window, uint32_t *table);

/* Writes the rest of a channel's table. */
void tn_swar_constants(const tn_channel_buffer_params *params, const uint32_t *constants, uint32_t *table);

/* Clamps all outputs where the activation is narrower than int8. */
void tn_clamp_buffered_swar(const tn_channel_buffer_params *params, int8_t *output);

/* The kernel around the computation of a channel. */
static inline __attribute__((always_inline)) void tn_channel_buffer_swar(const tn_channel_buffer_params *params,
                                                                           const int8_t *input, int8_t *output,
                                                                           int8_t *scratch, int32_t window,
                                                                           tn_swar_channel *fast)
{
    uint32_t *const table = (uint32_t *)(void *)scratch;
    uint32_t *const buffer = table + TN_TABLE_WORDS + params->kernel_height * params->row_words;
    const int32_t channel_words = 2 + (params->kernel_height * params->kernel_width + 4) / 4;
    const uint32_t *constants = params->constants;
    tn_swar_steps(params, window, table);
    tn_clear_buffer_swar(params, buffer);
    for (int32_t c = 0; c < params->channels; c++) {
        tn_gather_channel_swar(params, input + c, buffer);
        if (TN_THUMB1 && params->general == 0) {
            tn_swar_constants(params, constants, table);
            fast(params, table, buffer, output + c);
        } else {
            tn_swar_any(params, constants, buffer, output + c);
        }
        constants += channel_words;
    }
    tn_clamp_buffered_swar(params, output);
}

#if TN_THUMB1

/* The beginning of the loop over outputs: r5 becomes the sum of the second half, r12 that of all products, of which the
 * sum of the first half comes out in the end. Both start with their biases. r0 to r5 and r12 are for the assembly's own
 * use: GCC gives r12 and lr to no operand. */
#define TN_HALF_SUMS                                                                                                   \
    "1:\n\t"                                                                                                           \
    "ldmia  %[w]!, {r4, r5}\n\t"                                                                                       \
    "mov    r12, r4\n\t"

/* Adds a register with one product or two. The lower half of two products is below 2^15 in magnitude, since weights are
 * at least -127; so the upper half is that of the register, rounded. The shift leaves the bit to round by in the
 * carry. */
#define TN_ADD_HALVES(p)                                                                                               \
    "add    r12, " p "\n\t"                                                                                            \
    "asrs   " p ", " p ", #16\n\t"                                                                                     \
    "adcs   r5, " p "\n\t"

/* The end of the loops over outputs and rows: both sums, requantized and stored. Wants operands named x, w, y and end,
 * of which x and w are low registers. */
#define TN_FINISH_HALVES                                                                                               \
    "lsls   r0, r5, #16\n\t"                                                                                           \
    "mov    r4, r12\n\t"                                                                                               \
    "subs   r4, r4, r0\n\t"                                                                                            \
    "ldmia  %[w]!, {r0, r1, r2, r3}\n\t" TN_SCALE_BY_THREE("r4", "r0", "r1", "r2", "r3")                               \
    "ldmia  %[w]!, {r0, r1, r2, r3}\n\t" TN_SCALE_BY_THREE("r5", "r0", "r1", "r2", "r3")                               \
    "ldmia  %[w]!, {r0, r1, r2}\n\t"                                                                                   \
    "asrs   r4, r0\n\t"                                                                                                \
    "asrs   r5, r0\n\t" TN_SATURATE("r4", "r0") TN_SATURATE("r5", "r0")                                                \
    "mov    r0, %[y]\n\t"                                                                                              \
    "strb   r5, [r0, r1]\n\t"                                                                                          \
    "strb   r4, [r0]\n\t"                                                                                              \
    "adds   r0, r0, r2\n\t"                                                                                            \
    "mov    %[y], r0\n\t"                                                                                              \
    "ldmia  %[w]!, {r0, r1}\n\t"                                                                                       \
    "adds   %[x], %[x], r0\n\t"                                                                                        \
    "subs   %[w], %[w], r1\n\t"                                                                                        \
    "cmp    %[x], %[end]\n\t"                                                                                          \
    "bne    1b\n\t"                                                                                                    \
    "subs   %[w], #16\n\t"                                                                                             \
    "ldmia  %[w]!, {r0, r1, r2, r3}\n\t"                                                                               \
    "adds   %[x], %[x], r0\n\t"                                                                                        \
    "add    %[end], r1\n\t"                                                                                            \
    "add    %[y], r2\n\t"                                                                                              \
    "subs   %[w], #4\n\t"                                                                                              \
    "subs   r3, #1\n\t"                                                                                                \
    "stmia  %[w]!, {r3}\n\t"                                                                                           \
    "bne    1b"

#endif
#endif
