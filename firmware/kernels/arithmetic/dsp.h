/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernels know of the core: which instructions their innermost loops are written in, where C cannot say them.
 *
 * TN_DSP_CORE is 1 on cores with the DSP instructions of Armv7E-M and Armv8-M Mainline and a floating-point unit, and
 * TN_ARMV6M on Armv6-M. They depend on the architecture alone, and so does what lies in memory between functions: files
 * compiled with other optimizations work together.
 *
 * TN_DSP and TN_THUMB1 say that the assembly for these cores is compiled. Its innermost loops need all fourteen core
 * registers, so it wants optimization and -fomit-frame-pointer; what changes once a loop waits in floating-point
 * registers. Without optimization, and with -DTN_PORTABLE, the portable C beside it is compiled instead. Both give the
 * same bits.
 */
#ifndef TINYNAS_DSP_H
#define TINYNAS_DSP_H

#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FP)
#define TN_DSP_CORE 1
#else
#define TN_DSP_CORE 0
#endif

#ifdef __ARM_ARCH_6M__
#define TN_ARMV6M 1
#else
#define TN_ARMV6M 0
#endif

#if defined(__OPTIMIZE__) && !defined(TN_PORTABLE)
#define TN_ASSEMBLY 1
#else
#define TN_ASSEMBLY 0
#endif

/* Clang cannot pass floats through assembly where the ABI has none. */
#if TN_DSP_CORE && TN_ASSEMBLY && (defined(__ARM_PCS_VFP) || !defined(__clang__))
#define TN_DSP 1
#else
#define TN_DSP 0
#endif

/* GCC has no high registers for operands where it optimizes Armv6-M code for size. */
#if TN_ARMV6M && TN_ASSEMBLY && (defined(__clang__) || !defined(__OPTIMIZE_SIZE__))
#define TN_THUMB1 1
#else
#define TN_THUMB1 0
#endif

/* Words over memory that is also read and written as halfwords. */
typedef uint32_t __attribute__((may_alias)) tn_word;

/* The short requantization holds for right shifts from 1 up to this and sums below 2^29 in magnitude. The code
 * generator checks every channel against the largest sum that its weights allow, and marks a layer as `general` where
 * one is outside. The limit of sums is what Armv6-M needs (armv6m.h); tn_requantize_doubled would do with 2^30. Both
 * limits together keep sum and rounding within 32 bits: the rounding is at most 255 * 2^21 in magnitude, on Armv6-M
 * 511 * 2^21, below 2^30. */
#define TN_MOST_RIGHT_SHIFT 22

/* Two int8 values as a pair of halfwords. */
static inline uint32_t tn_pair(int32_t first, int32_t second)
{
    return ((uint32_t)first & 0xFFFFu) | ((uint32_t)second << 16);
}

static inline int32_t tn_first_of(uint32_t pair)
{
    return (int16_t)pair;
}

static inline int32_t tn_second_of(uint32_t pair)
{
    return (int32_t)pair >> 16;
}

/* Two int8 values as one number, x + (y << 16), so that one multiplication gives both products. Not bit fields, as a
 * pair is: an arithmetic sum, whose upper half reads as y - 1 where x is negative. */
static inline uint32_t tn_two_in_word(int32_t x, int32_t y)
{
    return (uint32_t)x + ((uint32_t)y << 16);
}

static inline int32_t tn_lower_of(uint32_t two)
{
    return (int16_t)two;
}

static inline int32_t tn_upper_of(uint32_t two)
{
    return (int32_t)(two - (uint32_t)tn_lower_of(two)) >> 16;
}

#if TN_DSP

/* Four bytes from any address: LDR may be unaligned on these cores, LDRD and LDM may not. */
typedef struct __attribute__((packed, may_alias)) {
    uint32_t value;
} tn_unaligned_word;

static inline uint32_t tn_load_word(const void *address)
{
    return ((const tn_unaligned_word *)address)->value;
}

static inline void tn_store_word(void *address, uint32_t word)
{
    ((tn_unaligned_word *)address)->value = word;
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
static inline int32_t tn_gemm_pair(uint32_t a, uint32_t b, int32_t sum)
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
 * by 2^right with halves away from zero: floor((x + 2^(right - 1) - [x < 0]) / 2^right). The sign of x is that of the
 * sum: only a negative sum that rounds to x = 0 has another, and there 2^(right - 1) - 1 and 2^(right - 1) both give 0,
 * since right >= 1. So with half = right - 1 and rounding = (2 * zero_point + 1) << half, which holds the zero point
 * too,
 *     result = saturate((SMMLAR(2 * sum, multiplier, rounding + (sum >> 31)) >> half) >> 1).
 * Valid within the limits at TN_MOST_RIGHT_SHIFT. */
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
