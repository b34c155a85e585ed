/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

static inline int32_t extent(const tn_pad_params *params, int32_t d)
{
    return params->before[d] + params->input[d] + params->after[d];
}

/* Fills the whole output, then copies the input into it: less code, and fewer branches, than telling inside from
 * outside for every element. */
TN_KERNEL void tn_pad(const tn_pad_params *params, const int8_t *restrict input, int8_t *restrict output)
{
    const int8_t value = (int8_t)params->value;
    const int32_t row = extent(params, 3);
    const int32_t plane = extent(params, 2) * row;
    const int32_t image = extent(params, 1) * plane;
    int8_t *filled = output;
    for (int32_t i = extent(params, 0) * image; i > 0; i--) {
        *filled++ = value;
    }
    output += params->before[0] * image + params->before[1] * plane + params->before[2] * row + params->before[3];
    for (int32_t n = 0; n < params->input[0]; n++) {
        for (int32_t h = 0; h < params->input[1]; h++) {
            for (int32_t w = 0; w < params->input[2]; w++) {
                int8_t *target = output + n * image + h * plane + w * row;
                for (int32_t c = params->input[3]; c > 0; c--) {
                    *target++ = *input++;
                }
            }
        }
    }
}
