/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

TN_KERNEL void tn_concatenation(const tn_concatenation_params *params, int8_t *restrict output)
{
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t i = 0; i < params->count; i++) {
            const int32_t size = params->sizes[i];
            const int8_t *source = params->inputs[i] + outer * size;
            for (int32_t k = size; k > 0; k--) {
                *output++ = *source++;
            }
        }
    }
}
