/* SPDX-License-Identifier: Apache-2.0
 *
 * Integer arithmetic that Armv6-M has no instructions for, under the names of the Arm run-time ABI (IHI 0043, section 4.2).
 * The same code for every toolchain, so that the flash taken does not depend on which compiler's library is linked.
 * On other architectures nothing calls these and the linker drops them.
 */
#include <stdint.h>

uint64_t __aeabi_lmul(uint64_t a, uint64_t b);
uint64_t __aeabi_llsl(uint64_t value, uint32_t shift);
uint64_t __aeabi_llsr(uint64_t value, uint32_t shift);
int64_t __aeabi_lasr(int64_t value, uint32_t shift);
uint64_t __aeabi_uidivmod(uint32_t numerator, uint32_t denominator);
uint64_t __aeabi_idivmod(int32_t numerator, int32_t denominator);
uint32_t __aeabi_uidiv(uint32_t numerator, uint32_t denominator);
int32_t __aeabi_idiv(int32_t numerator, int32_t denominator);

static inline uint32_t low(uint64_t value) { return (uint32_t)value; }
static inline uint32_t high(uint64_t value) { return (uint32_t)(value >> 32); }
static inline uint64_t join(uint32_t upper, uint32_t lower) { return (uint64_t)upper << 32 | lower; }

/* Schoolbook multiplication in halves of 16 bits: MULS gives the low 32 bits of a product only. */
uint64_t __aeabi_lmul(uint64_t a, uint64_t b) {
  uint32_t a0 = low(a) & 0xFFFFu;
  uint32_t a1 = low(a) >> 16;
  uint32_t b0 = low(b) & 0xFFFFu;
  uint32_t b1 = low(b) >> 16;
  uint32_t low_product = a0 * b0;
  uint32_t middle = a1 * b0 + (low_product >> 16);
  uint32_t carry = middle >> 16;
  uint32_t upper;

  middle = (middle & 0xFFFFu) + a0 * b1;
  upper = a1 * b1 + carry + (middle >> 16) + high(a) * low(b) + low(a) * high(b);
  return join(upper, middle << 16 | (low_product & 0xFFFFu));
}

uint64_t __aeabi_llsl(uint64_t value, uint32_t shift) {
  if (shift >= 32u) {
    return join(shift >= 64u ? 0u : low(value) << (shift - 32u), 0u);
  }
  return shift == 0u ? value : join(high(value) << shift | low(value) >> (32u - shift), low(value) << shift);
}

uint64_t __aeabi_llsr(uint64_t value, uint32_t shift) {
  if (shift >= 32u) {
    return join(0u, shift >= 64u ? 0u : high(value) >> (shift - 32u));
  }
  return shift == 0u ? value : join(high(value) >> shift, low(value) >> shift | high(value) << (32u - shift));
}

int64_t __aeabi_lasr(int64_t value, uint32_t shift) {
  uint32_t lower = low((uint64_t)value);
  int32_t upper = (int32_t)high((uint64_t)value);

  if (shift >= 32u) {
    return (int64_t)join((uint32_t)(upper >> 31), (uint32_t)(upper >> (shift >= 63u ? 31u : shift - 32u)));
  }
  return shift == 0u ? value : (int64_t)join((uint32_t)(upper >> shift), lower >> shift | (uint32_t)upper << (32u - shift));
}

/* Restoring division. The quotient is returned in r0 and the remainder in r1, which is how a 64-bit value is returned. */
uint64_t __aeabi_uidivmod(uint32_t numerator, uint32_t denominator) {
  uint32_t quotient = 0u;
  uint32_t remainder = 0u;

  if (denominator == 0u) {
    return join(numerator, 0u); /* as UDIV without DIV_0_TRP */
  }
  for (uint32_t bit = 32u; bit-- != 0u;) {
    uint32_t carry = remainder >> 31;

    remainder = remainder << 1 | (numerator >> bit & 1u);
    if (carry != 0u || remainder >= denominator) {
      remainder -= denominator;
      quotient |= 1u << bit;
    }
  }
  return join(remainder, quotient);
}

uint32_t __aeabi_uidiv(uint32_t numerator, uint32_t denominator) { return low(__aeabi_uidivmod(numerator, denominator)); }

uint64_t __aeabi_idivmod(int32_t numerator, int32_t denominator) {
  uint32_t n = numerator < 0 ? 0u - (uint32_t)numerator : (uint32_t)numerator;
  uint32_t d = denominator < 0 ? 0u - (uint32_t)denominator : (uint32_t)denominator;
  uint64_t result = __aeabi_uidivmod(n, d);
  uint32_t quotient = (numerator < 0) != (denominator < 0) ? 0u - low(result) : low(result);
  uint32_t remainder = numerator < 0 ? 0u - high(result) : high(result);

  return join(remainder, quotient);
}

int32_t __aeabi_idiv(int32_t numerator, int32_t denominator) {
  return (int32_t)low(__aeabi_idivmod(numerator, denominator));
}
