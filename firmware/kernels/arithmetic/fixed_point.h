/* SPDX-License-Identifier: Apache-2.0
 *
 * TFLite's fixed-point arithmetic, without data-dependent branches: the instruction count of a kernel follows from
 * shapes alone. Right shifts of negative numbers are arithmetic on every compiler that targets these cores.
 */
#ifndef TINYNAS_FIXED_POINT_H
#define TINYNAS_FIXED_POINT_H

#include <stdint.h>

/* round(a * b / 2^31), halves up (SQRDMULH). gemmlowp nudges by the sign and divides with truncation, which is the
 * same number: for a negative product p, trunc((p + 1 - 2^30) / 2^31) is a ceiling and equals floor((p + 2^30) / 2^31).
 * Its special case -2^31 * -2^31 cannot occur: quantized multipliers are in [0, 2^31). */
static inline int32_t tn_rounding_doubling_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* round(x / 2^exponent), halves away from zero; exponent in [0, 31]. No sum here can overflow. */
static inline int32_t tn_rounding_divide_by_power_of_two(int32_t x, int32_t exponent)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (int32_t)((uint32_t)x >> 31);
    return (x >> exponent) + ((x & mask) > threshold);
}

/* x * multiplier * 2^(shift - 31), rounded twice as TFLite does; a left shift wraps. shift in [-31, 31]. */
static inline int32_t tn_multiply_by_quantized_multiplier(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift & ~(shift >> 31);
    const int32_t right = left - shift;
    const int32_t shifted = (int32_t)((uint32_t)x << left);
    return tn_rounding_divide_by_power_of_two(tn_rounding_doubling_high_mul(shifted, multiplier), right);
}

/* round(x * multiplier * 2^(shift - 31)), halves away from zero. shift in [-31, 30]. */
static inline int32_t tn_multiply_rounding_once(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t bits = 31 - shift;
    const int64_t product = (int64_t)x * multiplier;
    const int64_t half = (int64_t)1 << (bits - 1);
    return (int32_t)((product + half - (product < 0 ? 1 : 0)) >> bits);
}

static inline int8_t tn_clamp(int32_t x, int32_t low, int32_t high)
{
    const int32_t raised = x < low ? low : x;
    return (int8_t)(raised > high ? high : raised);
}

#endif
