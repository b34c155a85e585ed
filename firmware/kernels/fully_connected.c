/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/fixed_point.h"
#include "tinynas/kernels.h"

/* Two outputs at a time share every input that is loaded. Of an odd number, the last is computed twice: cheaper in
 * flash than a second loop. */
TN_KERNEL void tn_fully_connected(const tn_fully_connected_params *params, const int8_t *restrict input,
                                  int8_t *restrict output)
{
    const int32_t inputs = params->inputs;
    const int32_t last = params->outputs - 1;
    const int32_t per_channel = params->per_channel;
    for (int32_t row = 0; row < params->rows; row++) {
        for (int32_t o = 0; o <= last; o += 2) {
            const int32_t second = o < last ? o + 1 : o;
            const int8_t *x = input;
            const int8_t *w0 = params->weights + o * inputs;
            const int8_t *w1 = params->weights + second * inputs;
            int32_t acc0 = params->bias[o];
            int32_t acc1 = params->bias[second];
            for (int32_t i = inputs; i > 0; i--) {
                const int32_t value = *x++;
                acc0 += value * *w0++;
                acc1 += value * *w1++;
            }
            const int32_t scale0 = o * per_channel;
            const int32_t scale1 = second * per_channel;
            acc0 = tn_multiply_rounding_once(acc0, params->multiplier[scale0], params->shift[scale0]);
            acc1 = tn_multiply_rounding_once(acc1, params->multiplier[scale1], params->shift[scale1]);
            output[o] = tn_clamp(acc0 + params->output_zero_point, params->activation_min, params->activation_max);
            output[second] = tn_clamp(acc1 + params->output_zero_point, params->activation_min, params->activation_max);
        }
        input += inputs;
        output += last + 1;
    }
}
