/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/dsp.h"
#include "../arithmetic/window.h"
#include "pooling.h"

enum { RECIPROCAL_BITS = 24 };

/* 2^24 / divisor, rounded down. Armv6-M has no division, and how long that of the run-time library takes depends on the
 * divisor. */
static inline uint32_t reciprocal(uint32_t divisor)
{
#if TN_ARMV6M
    uint32_t quotient = 0;
    uint32_t rest = 0;
    for (int32_t bit = RECIPROCAL_BITS; bit >= 0; bit--) {
        rest = 2 * rest + (bit == RECIPROCAL_BITS);
        const uint32_t left = rest - divisor;
        const uint32_t below = left >> 31; /* both are below 2^24 */
        rest = left + (divisor & (0u - below));
        quotient = 2 * quotient + 1u - below;
    }
    return quotient;
#else
    /* Never by zero: every window of SAME or VALID padding has a tap inside the input. */
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero,clang-analyzer-core.UndefinedBinaryOperatorResult) */
    return (UINT32_C(1) << RECIPROCAL_BITS) / divisor;
#endif
}

/* sum / count, halves away from zero, for |sum| <= 128 * count and count < 2^23. The quotient of n = |sum| + count / 2
 * by a product with the reciprocal is never too large: that is short of 2^24 / count by less than 1, and the product,
 * below 2^32, of n * 2^24 / count by less than n. After division by 2^24 the quotient is short by one at most for
 * count < 2^16, where n < 2^24, and by one more for each further 2^16. */
static inline int32_t rounded_mean(int32_t sum, uint32_t count, uint32_t inverse)
{
    const int32_t sign = sum >> 31;
    uint32_t rest = (uint32_t)((sum ^ sign) - sign) + (count >> 1);
    uint32_t quotient = (rest * inverse) >> RECIPROCAL_BITS;
    rest -= quotient * count;
    for (int32_t i = (int32_t)(count >> 16); i >= 0; i--) {
        const uint32_t larger = (count - 1u - rest) >> 31; /* whether the rest is another count */
        quotient += larger;
        rest -= count & (0u - larger);
    }
    return ((int32_t)quotient ^ sign) - sign;
}

/* The mean of the taps inside the input, halves away from zero. */
TN_KERNEL void tn_average_pool_2d(const tn_pool_2d_params *params, const int8_t *restrict input,
                                  int8_t *restrict output)
{
    const int32_t channels = params->channels;
    const int32_t input_row = params->input_width * channels;
    int8_t *mean = output;
    int32_t row_origin = -(int32_t)params->padding_top;
    for (int32_t oy = 0; oy < params->output_height; oy++) {
        const tn_taps rows = tn_taps_inside(row_origin, params->input_height, params->filter_height, 1);
        int32_t column_origin = -(int32_t)params->padding_left;
        for (int32_t ox = 0; ox < params->output_width; ox++) {
            const tn_taps columns = tn_taps_inside(column_origin, params->input_width, params->filter_width, 1);
            const uint32_t count = (uint32_t)((rows.end - rows.first) * (columns.end - columns.first));
            const uint32_t inverse = reciprocal(count);
            const int8_t *corner =
                input + (row_origin + rows.first) * input_row + (column_origin + columns.first) * channels;
            for (int32_t c = channels; c > 0; c--) {
                const int8_t *start = corner++;
                int32_t sum = 0;
                for (int32_t row = rows.first; row < rows.end; row++) {
                    const int8_t *x = start;
                    for (int32_t column = columns.first; column < columns.end; column++) {
                        sum += *x;
                        x += channels;
                    }
                    start += input_row;
                }
                *mean++ = (int8_t)rounded_mean(sum, count, inverse);
            }
            column_origin += params->stride_width;
        }
        row_origin += params->stride_height;
    }
    tn_clamp_outputs(output, params->output_height * params->output_width * channels, params->activation_min,
                     params->activation_max);
}
