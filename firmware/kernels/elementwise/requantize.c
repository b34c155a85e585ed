/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/fixed_point.h"
#include "elementwise.h"

TN_KERNEL void tn_requantize(const tn_requantize_params *params, const int8_t *input, int8_t *output)
{
    const tn_requantize_params p = *params; /* in registers: the output might alias the structure */
    for (int32_t i = p.count; i > 0; i--) {
        const int32_t scaled =
            tn_multiply_by_quantized_multiplier(*input++ - p.input_zero_point, p.multiplier, p.shift);
        *output++ = tn_clamp(scaled + p.output_zero_point, INT8_MIN, INT8_MAX);
    }
}
