/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

TN_KERNEL void tn_transpose(const tn_transpose_params *params, const int8_t *restrict input, int8_t *restrict output)
{
    const int32_t *const extents = params->extents;
    const int32_t *const strides = params->strides;
    for (int32_t i = 0; i < extents[0]; i++) {
        for (int32_t j = 0; j < extents[1]; j++) {
            for (int32_t k = 0; k < extents[2]; k++) {
                const int8_t *source = input + i * strides[0] + j * strides[1] + k * strides[2];
                const int32_t stride = strides[3];
                for (int32_t l = extents[3]; l > 0; l--) {
                    *output++ = *source;
                    source += stride;
                }
            }
        }
    }
}
