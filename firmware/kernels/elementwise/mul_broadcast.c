/* SPDX-License-Identifier: Apache-2.0 */
#include "element.h"

TN_KERNEL void tn_mul_broadcast(const tn_mul_broadcast_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    const tn_mul_quantization q = params->quantization;
    const tn_broadcast *const shape = &params->broadcast;
    for (int32_t n = 0; n < shape->extents[0]; n++) {
        for (int32_t h = 0; h < shape->extents[1]; h++) {
            for (int32_t w = 0; w < shape->extents[2]; w++) {
                const int8_t *x = a + n * shape->a_strides[0] + h * shape->a_strides[1] + w * shape->a_strides[2];
                const int8_t *y = b + n * shape->b_strides[0] + h * shape->b_strides[1] + w * shape->b_strides[2];
                const int32_t x_stride = shape->a_strides[3];
                const int32_t y_stride = shape->b_strides[3];
                for (int32_t c = shape->extents[3]; c > 0; c--) {
                    *output++ = tn_mul_element(&q, *x, *y);
                    x += x_stride;
                    y += y_stride;
                }
            }
        }
    }
}
