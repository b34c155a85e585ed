/* SPDX-License-Identifier: Apache-2.0
 *
 * A sum divided by how many there are, without a division for each.
 */
#ifndef TINYNAS_ROUNDED_MEAN_H
#define TINYNAS_ROUNDED_MEAN_H

#include "../arithmetic/dsp.h"
#include "pooling.h"

enum { TN_RECIPROCAL_BITS = 24 };

/* 2^24 / divisor, rounded down. Armv6-M has no division, and how long that of the run-time library takes depends on the
 * divisor. */
static inline uint32_t tn_reciprocal(uint32_t divisor)
{
#if TN_ARMV6M
    uint32_t quotient = 0;
    uint32_t rest = 0;
    for (int32_t bit = TN_RECIPROCAL_BITS; bit >= 0; bit--) {
        rest = 2 * rest + (bit == TN_RECIPROCAL_BITS);
        const uint32_t left = rest - divisor;
        const uint32_t below = left >> 31; /* both are below 2^24 */
        rest = left + (divisor & (0u - below));
        quotient = 2 * quotient + 1u - below;
    }
    return quotient;
#else
    /* Never by zero: every window of SAME or VALID padding has a tap inside the input. */
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero,clang-analyzer-core.UndefinedBinaryOperatorResult) */
    return (UINT32_C(1) << TN_RECIPROCAL_BITS) / divisor;
#endif
}

/* sum / count, halves away from zero, for |sum| <= 128 * count and count < 2^23. The quotient of n = |sum| + count / 2
 * by a product with the reciprocal is never too large: that is short of 2^24 / count by less than 1, and the product,
 * below 2^32, of n * 2^24 / count by less than n. After division by 2^24 the quotient is short by one at most for
 * count < 2^16, where n < 2^24, and by one more for each further 2^16. */
static inline int32_t tn_rounded_mean(int32_t sum, uint32_t count, uint32_t inverse)
{
    const int32_t sign = sum >> 31;
    uint32_t rest = (uint32_t)((sum ^ sign) - sign) + (count >> 1);
    uint32_t quotient = (rest * inverse) >> TN_RECIPROCAL_BITS;
    rest -= quotient * count;
    for (int32_t i = (int32_t)(count >> 16); i >= 0; i--) {
        const uint32_t larger = (count - 1u - rest) >> 31; /* whether the rest is another count */
        quotient += larger;
        rest -= count & (0u - larger);
    }
    return ((int32_t)quotient ^ sign) - sign;
}

#endif
