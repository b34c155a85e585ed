/* SPDX-License-Identifier: Apache-2.0
 *
 * The DSP instructions of Armv7E-M and Armv8-M Mainline that the kernels are written around, where C cannot say them.
 *
 * TN_DSP is 1 where a core has them and a floating-point unit: the innermost loops need all fourteen core registers, so
 * compile them optimized and with -fomit-frame-pointer; what changes once a loop waits in floating-point registers.
 * Without TN_DSP, and with -DTN_PORTABLE anywhere, the portable C beside each kernel is compiled; both give the same bits.
 */
#ifndef TINYNAS_DSP_H
#define TINYNAS_DSP_H

#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FP) && defined(__OPTIMIZE__) && !defined(TN_PORTABLE)
#define TN_DSP 1
#else
#define TN_DSP 0
#endif

/* 1 on Armv6-M, which multiplies 32 bits by 32 into 32 and has sixteen-bit instructions only. */
#if defined(__ARM_ARCH_6M__) && defined(__OPTIMIZE__) && !defined(TN_PORTABLE)
#define TN_THUMB1 1
#else
#define TN_THUMB1 0
#endif

/* The largest right shift with which `(2 * zero_point + 1) << (right shift - 1)` plus a sum stays within 32 bits; see
 * tn_requantize_doubled. The code generator checks the sums. */
#define TN_MOST_RIGHT_SHIFT 22

/* Two int8 values as a pair of halfwords: side by side; on Armv6-M as the number second + (first << 16), for which a
 * multiplication can be made to compute both products (dot_tiles.c). */
static inline uint32_t tn_pair(int32_t first, int32_t second)
{
#if TN_THUMB1
    return (uint32_t)second + ((uint32_t)first << 16);
#else
    return ((uint32_t)first & 0xFFFFu) | ((uint32_t)second << 16);
#endif
}

static inline int32_t tn_first_of(uint32_t pair)
{
#if TN_THUMB1
    return (int32_t)(pair - (uint32_t)(int32_t)(int16_t)pair) >> 16;
#else
    return (int16_t)pair;
#endif
}

static inline int32_t tn_second_of(uint32_t pair)
{
#if TN_THUMB1
    return (int16_t)pair;
#else
    return (int32_t)pair >> 16;
#endif
}

#if TN_DSP

/* Four bytes from any address: LDR may be unaligned on these cores, LDRD and LDM may not. */
typedef struct __attribute__((packed)) {
    uint32_t value;
} tn_unaligned_word;

static inline uint32_t tn_load_word(const void *address)
{
    return ((const tn_unaligned_word *)address)->value;
}

/* Bytes 0 and 2, or 1 and 3, sign-extended to two halfwords. */
static inline uint32_t tn_even_bytes(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
}

static inline uint32_t tn_odd_bytes(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/* Both products of two pairs of halfwords, added to `sum`. */
static inline int32_t tn_dot_pair(uint32_t a, uint32_t b, int32_t sum)
{
    int32_t result;
    __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

/* A core register's value in a floating-point register. */
static inline float tn_park(uint32_t value)
{
    float parked;
    __asm__("vmov %0, %1" : "=t"(parked) : "r"(value));
    return parked;
}

/* TFLite's requantization of a sum, given twice the sum, in four instructions and one more to double it.
 *
 * The first rounding, round(sum * multiplier / 2^31) with halves up, is SMMULR(2 * sum, multiplier). The second divides
 * by 2^right with halves away from zero: floor((x + 2^(right - 1) - [x < 0]) / 2^right). The sign of x is that of the sum:
 * only a negative sum that rounds to x = 0 has another, and there 2^(right - 1) - 1 and 2^(right - 1) both give 0, since
 * right >= 1. So with half = right - 1 and rounding = (2 * zero_point + 1) << half, which holds the zero point too,
 *     result = saturate((SMMLAR(2 * sum, multiplier, rounding + (sum >> 31)) >> half) >> 1).
 * Valid for right shifts from 1 to TN_MOST_RIGHT_SHIFT, |sum| < 2^30 and |rounding| + |sum| < 2^31. */
static inline int32_t tn_requantize_doubled(int32_t doubled, int32_t multiplier, int32_t rounding, int32_t half)
{
    int32_t result;
    int32_t addend;
    __asm__("add    %1, %4, %2, asr #31\n\t"
            "smmlar %0, %2, %3, %1\n\t"
            "asr    %0, %0, %5\n\t"
            "ssat   %0, #8, %0, asr #1"
            : "=&r"(result), "=&r"(addend)
            : "r"(doubled), "r"(multiplier), "r"(rounding), "r"(half)
            : "cc");
    return result;
}

#endif
#endif
