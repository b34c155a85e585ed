/* SPDX-License-Identifier: Apache-2.0
 *
 * What both kernels of fully connected layers do with a sum. They round once, as LiteRT does
 * (tn_multiply_rounding_once).
 */
#ifndef TINYNAS_FULLY_CONNECTED_SUMS_H
#define TINYNAS_FULLY_CONNECTED_SUMS_H

#include "../arithmetic/dsp.h"
#include "../arithmetic/fixed_point.h"
#include "fully_connected.h"

/* One multiplier for all outputs, and a right shift of two or more: a short way, where `holds` is 1. */
typedef struct {
    int32_t holds;
    int32_t multiplier;
    int32_t rounding;
    int32_t right;
    int32_t zero_point;
} tn_plain;

static inline tn_plain tn_plain_of(const tn_fully_connected_params *params)
{
    const int32_t right = -params->shift[0];
    const int32_t holds = params->per_channel == 0 && right >= 2 && right < 31;
    const tn_plain plain = {
        holds, params->multiplier[0], holds ? 1 << (right - 2) : 0, right - 1, params->output_zero_point,
    };
    return plain;
}

static inline int8_t tn_saturate(int32_t value)
{
#if TN_DSP
    int32_t saturated;
    __asm__("ssat %0, #8, %1" : "=r"(saturated) : "r"(value) : "cc");
    return (int8_t)saturated;
#else
    return tn_clamp(value, INT8_MIN, INT8_MAX);
#endif
}

/* What is below 2^32 counts by its sign only. The sign and the rounding are where the product is added to. */
static inline int8_t tn_finish_plain(tn_plain plain, int32_t sum)
{
    const int32_t sign = sum >> 31;
    const uint64_t start = (uint64_t)(uint32_t)(plain.rounding + sign) << 32 | (uint32_t)sign;
    const int32_t high = (int32_t)(((int64_t)start + (int64_t)sum * plain.multiplier) >> 32);
    return tn_saturate((high >> plain.right) + plain.zero_point);
}

static inline int8_t tn_finish_any(const tn_fully_connected_params *params, int32_t output, int32_t sum)
{
    const int32_t scale = params->per_channel ? output : 0;
    const int32_t scaled = tn_multiply_rounding_once(sum, params->multiplier[scale], params->shift[scale]);
    return tn_clamp(scaled + params->output_zero_point, INT8_MIN, INT8_MAX);
}

#endif
