/* SPDX-License-Identifier: Apache-2.0
 *
 * int8 elements as words, so that LDM loads several at once, for kernels of Armv6-M.
 */
#ifndef TINYNAS_WIDEN_H
#define TINYNAS_WIDEN_H

#include <stdint.h>

/* Writes a word for each of `count` elements; returns where the next one goes. */
uint32_t *tn_widen(uint32_t *to, const int8_t *from, int32_t count);

#endif
