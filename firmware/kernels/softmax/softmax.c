/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/fixed_point.h"
#include "softmax.h"

/* gemmlowp's fixed point: Qm.n has m integer and n fractional bits beside the sign. */

enum { SUM_INTEGER_BITS = 12 }; /* sums of exponentials are Q12.19 */

static inline int32_t high_mul(int32_t a, int32_t b)
{
    return tn_rounding_doubling_high_mul(a, b);
}

static inline int32_t shift_left_saturating(int32_t x, int32_t bits)
{
    const int64_t shifted = (int64_t)x * ((int64_t)1 << bits);
    const int64_t raised = shifted < INT32_MIN ? INT32_MIN : shifted;
    return (int32_t)(raised > INT32_MAX ? INT32_MAX : raised);
}

/* exp(a) in Q0.31 for a in [-1/4, 0): the Taylor polynomial of degree 4 around -1/8. */
static inline int32_t exp_near_zero(int32_t a)
{
    const int32_t one_third = 715827883;
    const int32_t exp_of_minus_one_eighth = 1895147668;
    const int32_t x = a + (1 << 28);
    const int32_t x2 = high_mul(x, x);
    const int32_t x3 = high_mul(x2, x);
    const int32_t x4_over_4 = tn_rounding_divide_by_power_of_two(high_mul(x2, x2), 2);
    const int32_t tail = tn_rounding_divide_by_power_of_two(high_mul(x4_over_4 + x3, one_third) + x2, 1);
    return exp_of_minus_one_eighth + high_mul(x + tail, exp_of_minus_one_eighth);
}

/* exp(x) in Q0.31 for x <= 0 in Q5.26: x = r - remainder with r in [-1/4, 0), the remainder bit by bit. Its factors
 * are exp(-2^k) for k = -2 .. 4; a factor that does not apply is one, and multiplies by nothing. */
static int32_t exp_on_negative_values(int32_t x)
{
    static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    const int32_t r = (x & (quarter - 1)) - quarter;
    const int32_t remainder = r - x;
    int32_t result = exp_near_zero(r * (1 << 5));
    for (int32_t k = 0; k < 7; k++) {
        const int32_t scaled = high_mul(result, factors[k]);
        result = (remainder & (quarter << k)) != 0 ? scaled : result;
    }
    return x == 0 ? INT32_MAX : result;
}

/* 1 / (1 + a) in Q0.31 for a in [0, 1): three Newton-Raphson steps from 48/17 - 32/17 d. */
static int32_t one_over_one_plus(int32_t a)
{
    const int32_t forty_eight_over_17 = 1515870810; /* Q2.29 */
    const int32_t minus_32_over_17 = -1010580540;   /* Q2.29 */
    const int32_t half_denominator = (int32_t)(((int64_t)a + INT32_MAX + 1) >> 1);
    int32_t x = forty_eight_over_17 + high_mul(half_denominator, minus_32_over_17);
    for (int32_t step = 0; step < 3; step++) {
        const int32_t error = (1 << 29) - high_mul(half_denominator, x);
        x += shift_left_saturating(high_mul(x, error), 2);
    }
    return shift_left_saturating(x, 1);
}

/* exp of a difference to the row's maximum in Q0.31; zero below diff_min. It is computed either way, so that the time
 * of a softmax does not depend on its data. */
static inline int32_t exp_of_difference(const tn_softmax_params *params, int32_t difference)
{
    const int32_t diff_min = params->diff_min;
    const int32_t raised = difference < diff_min ? diff_min : difference;
    const int32_t shifted = (int32_t)((uint32_t)raised << params->shift);
    const int32_t result = exp_on_negative_values(high_mul(shifted, params->multiplier));
    return difference < diff_min ? 0 : result;
}

static inline int32_t count_leading_zeros(uint32_t x)
{
    int32_t zeros = 0;
    for (; (x & UINT32_C(0x80000000)) == 0; x <<= 1) {
        zeros++;
    }
    return zeros;
}

TN_KERNEL void tn_softmax(const tn_softmax_params *params, const int8_t *restrict input, int8_t *restrict output)
{
    const int32_t depth = params->depth;
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t largest = INT8_MIN;
        for (int32_t i = 0; i < depth; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        int32_t sum = 0;
        for (int32_t i = 0; i < depth; i++) {
            const int32_t exponential = exp_of_difference(params, input[i] - largest);
            sum += tn_rounding_divide_by_power_of_two(exponential, SUM_INTEGER_BITS);
        }
        const int32_t zeros = count_leading_zeros((uint32_t)sum);
        const int32_t normalized = (int32_t)(((uint32_t)sum << zeros) - UINT32_C(0x80000000));
        const int32_t reciprocal = one_over_one_plus(normalized);
        /* Q0.31 to eight bits of 1/256 each. Where that is a shift by more than 31 bits, everything rounds to zero. */
        const int32_t exponent = SUM_INTEGER_BITS - zeros + 31 - 8;
        const int32_t scale = exponent > 31 ? 0 : reciprocal;
        const int32_t shift = exponent > 31 ? 31 : exponent;
        for (int32_t i = 0; i < depth; i++) {
            const int32_t exponential = exp_of_difference(params, input[i] - largest);
            const int32_t scaled = tn_rounding_divide_by_power_of_two(high_mul(scale, exponential), shift);
            output[i] = tn_clamp(scaled + INT8_MIN, INT8_MIN, INT8_MAX);
        }
        input += depth;
        output += depth;
    }
}
