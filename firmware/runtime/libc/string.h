/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of <string.h> that the firmware needs. The macros let the compiler expand short copies of known size
 * in place, which -ffreestanding would forbid: a call for every unaligned 4-byte load makes a kernel several times slower.
 */
#ifndef TN_STRING_H
#define TN_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

#define memcpy(to, from, size) __builtin_memcpy((to), (from), (size))
#define memmove(to, from, size) __builtin_memmove((to), (from), (size))
#define memset(to, value, size) __builtin_memset((to), (value), (size))

#endif
