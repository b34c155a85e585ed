/* SPDX-License-Identifier: Apache-2.0
 *
 * Affine requantization, a line through the steps of TFLite's, on Armv6-M:
 *
 *     v = (floor(slope * sum / 2^18) + offset) >> right, saturated to 0..255, less 128.
 *
 * The slope comes in three parts, lowest first: a0, a1 below 2^9, and a2, so that
 *
 *     floor(slope * sum / 2^18) = sum * a2 + floor((sum * a1 + floor(sum * a0 / 2^9)) / 2^9)
 *
 * in 32 bits for sums below 2^22 in magnitude, and a2 not too large for them. Where TFLite rounds twice, away from zero,
 * steps of negative sums lie farther out than on a line: there 2^9 * [sum < 0] is subtracted, too ("with a drop").
 * Behind a ReLU negative sums have no steps, and behind a fully connected layer one rounding is all. The code generator
 * looks for lines that take every step at the same sum as TFLite (tinynas/kernels/_affine.py).
 *
 * A line is five words: a0, a1, a2, offset, right.
 */
#ifndef TINYNAS_AFFINE_H
#define TINYNAS_AFFINE_H

#include "armv6m.h"
#include "fixed_point.h"

enum { TN_AFFINE_BITS = 9, TN_AFFINE_WORDS = 5 };

/* How a layer is requantized, in the field `general` of its parameters: fully connected layers are general where an
 * output has no line, and convolutions have other kernels. */
enum { TN_ALL_AFFINE = 0, TN_GENERAL = 1, TN_ALL_AFFINE_WITH_DROP = 2 };

typedef int8_t tn_affine_function(const uint32_t *affine, int32_t sum);

/* The line at a sum, without a drop. */
static inline int8_t tn_affine_requantize(const uint32_t *affine, int32_t sum)
{
    int32_t value = (sum * (int32_t)affine[0]) >> TN_AFFINE_BITS;
    value = (value + sum * (int32_t)affine[1]) >> TN_AFFINE_BITS;
    value += sum * (int32_t)affine[2] + (int32_t)affine[3];
    return tn_clamp((value >> affine[4]) + INT8_MIN, INT8_MIN, INT8_MAX);
}

/* The same with a drop. */
static inline int8_t tn_affine_requantize_with_drop(const uint32_t *affine, int32_t sum)
{
    int32_t value = (sum * (int32_t)affine[0]) >> TN_AFFINE_BITS;
    value = (value + sum * (int32_t)affine[1]) >> TN_AFFINE_BITS;
    value += sum * (int32_t)affine[2] + (int32_t)affine[3] - ((sum < 0) << TN_AFFINE_BITS);
    return tn_clamp((value >> affine[4]) + INT8_MIN, INT8_MIN, INT8_MAX);
}

#if TN_THUMB1

#define TN_AFFINE_PARTS(a0, a1, a2, sum)                                                                               \
    "muls " a0 "," sum "\n"                                                                                            \
    "asrs " a0 "," a0 ",#9\n"                                                                                          \
    "muls " a1 "," sum "\n"                                                                                            \
    "adds " a0 "," a1 "\n"                                                                                             \
    "asrs " a0 "," a0 ",#9\n"                                                                                          \
    "muls " a2 "," sum "\n"                                                                                            \
    "adds " a0 "," a2 "\n"

/* a0 = the line at `sum`, as a byte. All but the other words of the line are spoiled. */
#define TN_AFFINE(a0, a1, a2, offset, right, sum)                                                                      \
    TN_AFFINE_PARTS(a0, a1, a2, sum)                                                                                   \
    "adds " a0 "," offset "\n"                                                                                         \
    "asrs " a0 "," right "\n" TN_SATURATE(a0, sum)

#define TN_AFFINE_WITH_DROP(a0, a1, a2, offset, right, sum)                                                            \
    TN_AFFINE_PARTS(a0, a1, a2, sum)                                                                                   \
    "adds " a0 "," offset "\n"                                                                                         \
    "asrs " sum "," sum ",#31\n"                                                                                       \
    "lsls " sum "," sum ",#9\n"                                                                                        \
    "adds " a0 "," sum "\n"                                                                                            \
    "asrs " a0 "," right "\n" TN_SATURATE(a0, sum)

#endif
#endif
