/* SPDX-License-Identifier: Apache-2.0 */
#include "element.h"

TN_KERNEL void tn_mul(const tn_mul_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    /* A copy in registers: the compiler must assume that writing the output changes what pointers lead to. */
    const tn_mul_quantization q = params->quantization;
    for (int32_t i = params->count; i > 0; i--) {
        *output++ = tn_mul_element(&q, *a++, *b++);
    }
}
