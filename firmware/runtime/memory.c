/* SPDX-License-Identifier: Apache-2.0
 *
 * memcpy, memmove and memset out of line, under the names that compilers call. Words where both ends are aligned, bytes
 * otherwise. Compiled with -fno-builtin, or the compiler would turn these loops into calls of themselves.
 */
#include <stddef.h>
#include <stdint.h>

/* Whole words may alias objects of any type. */
typedef uint32_t __attribute__((may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

/* From low to high addresses; `to` may overlap the part of `from` that was already read. */
static inline void copy_upwards(uint8_t *to, const uint8_t *from, size_t size) {
  if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0u) {
    for (; size >= 4u; size -= 4u, to += 4, from += 4) {
      *(word *)(void *)to = *(const word *)(const void *)from;
    }
  }
  for (; size != 0u; size--) {
    *to++ = *from++;
  }
}

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  copy_upwards(to, from, size);
  return to;
}

void *memmove(void *to, const void *from, size_t size) {
  uint8_t *out = to;
  const uint8_t *in = from;

  if ((uintptr_t)out - (uintptr_t)in >= size) { /* unsigned: also true where `to` lies below `from` */
    copy_upwards(out, in, size);
    return to;
  }
  while (size != 0u) {
    size--;
    out[size] = in[size];
  }
  return to;
}

void *memset(void *to, int value, size_t size) {
  uint8_t *out = to;
  uint32_t pattern = (uint32_t)(uint8_t)value * 0x01010101u;

  for (; size != 0u && ((uintptr_t)out & 3u) != 0u; size--) {
    *out++ = (uint8_t)value;
  }
  for (; size >= 4u; size -= 4u, out += 4) {
    *(word *)(void *)out = pattern;
  }
  for (; size != 0u; size--) {
    *out++ = (uint8_t)value;
  }
  return to;
}

/*
 * The names of the Arm run-time ABI (IHI 0043, section 4.3.4), which LLVM calls. The 4 and 8 variants may assume
 * alignment and need not. __aeabi_memset takes size and value in the other order.
 */
void *__aeabi_memcpy(void *restrict to, const void *restrict from, size_t size) __attribute__((alias("memcpy")));
void *__aeabi_memcpy4(void *restrict to, const void *restrict from, size_t size) __attribute__((alias("memcpy")));
void *__aeabi_memcpy8(void *restrict to, const void *restrict from, size_t size) __attribute__((alias("memcpy")));
void *__aeabi_memmove(void *to, const void *from, size_t size) __attribute__((alias("memmove")));
void *__aeabi_memmove4(void *to, const void *from, size_t size) __attribute__((alias("memmove")));
void *__aeabi_memmove8(void *to, const void *from, size_t size) __attribute__((alias("memmove")));
void *__aeabi_memset(void *to, size_t size, int value);
void *__aeabi_memset4(void *to, size_t size, int value) __attribute__((alias("__aeabi_memset")));
void *__aeabi_memset8(void *to, size_t size, int value) __attribute__((alias("__aeabi_memset")));
void *__aeabi_memclr(void *to, size_t size);
void *__aeabi_memclr4(void *to, size_t size) __attribute__((alias("__aeabi_memclr")));
void *__aeabi_memclr8(void *to, size_t size) __attribute__((alias("__aeabi_memclr")));

void *__aeabi_memset(void *to, size_t size, int value) { return memset(to, value, size); }

void *__aeabi_memclr(void *to, size_t size) { return memset(to, 0, size); }
