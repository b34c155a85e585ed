/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of the kernel that looks each element up in a table.
 */
#ifndef TINYNAS_LOOKUP_TABLE_H
#define TINYNAS_LOOKUP_TABLE_H

#include "../kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Any operator that computes each element on its own: LOGISTIC, HARD_SWISH and others. `table` has the outputs of the
 * inputs -128, -127, ..., 127. In place. */
typedef struct {
    const int8_t *table;
    int32_t count;
} tn_lookup_table_params;

void tn_lookup_table(const tn_lookup_table_params *params, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif
#endif
