/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/kernels.h"

static inline int8_t *fill(int8_t *output, int8_t value, int32_t count)
{
    for (; count > 0; count--) {
        *output++ = value;
    }
    return output;
}

/* Whether output position `i` along dimension `d` lies inside the input. */
static inline int inside(const tn_pad_params *params, int32_t i, int32_t d)
{
    return i >= params->before[d] && i < params->before[d] + params->input[d];
}

static inline int32_t extent(const tn_pad_params *params, int32_t d)
{
    return params->before[d] + params->input[d] + params->after[d];
}

TN_KERNEL void tn_pad(const tn_pad_params *params, const int8_t *restrict input, int8_t *restrict output)
{
    const int8_t value = (int8_t)params->value;
    for (int32_t n = 0; n < extent(params, 0); n++) {
        for (int32_t h = 0; h < extent(params, 1); h++) {
            for (int32_t w = 0; w < extent(params, 2); w++) {
                if (inside(params, n, 0) && inside(params, h, 1) && inside(params, w, 2)) {
                    output = fill(output, value, params->before[3]);
                    for (int32_t c = params->input[3]; c > 0; c--) {
                        *output++ = *input++;
                    }
                    output = fill(output, value, params->after[3]);
                } else {
                    output = fill(output, value, extent(params, 3));
                }
            }
        }
    }
}
