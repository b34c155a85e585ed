/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/fixed_point.h"
#include "reduction.h"

TN_KERNEL void tn_mean(const tn_mean_params *params, const int8_t *restrict input, int8_t *restrict output)
{
    const int32_t reduced = params->reduced;
    const int32_t inner = params->inner;
    const int32_t offset = params->input_zero_point * reduced;
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t i = 0; i < inner; i++) {
            const int8_t *x = input + i;
            int32_t sum = -offset;
            for (int32_t k = reduced; k > 0; k--) {
                sum += *x;
                x += inner;
            }
            const int32_t scaled = tn_multiply_by_quantized_multiplier(sum, params->multiplier, params->shift);
            *output++ = tn_clamp(scaled + params->output_zero_point, INT8_MIN, INT8_MAX);
        }
        input += reduced * inner;
    }
}
