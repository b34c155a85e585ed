/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of SOFTMAX.
 */
#ifndef TINYNAS_SOFTMAX_H
#define TINYNAS_SOFTMAX_H

#include "../kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* SOFTMAX over rows of `depth` < 4096 elements; output scale 1/256, zero point -128. Inputs more than -diff_min below
 * their row's maximum become zero. */
typedef struct {
    int32_t rows;
    int32_t depth;
    int32_t multiplier;
    int32_t shift;
    int32_t diff_min;
} tn_softmax_params;

void tn_softmax(const tn_softmax_params *params, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif
#endif
