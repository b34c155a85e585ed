/* SPDX-License-Identifier: Apache-2.0
 *
 * TFLite's requantization on Armv6-M, whose only multiplication gives the low 32 bits of a product: pieces of assembly
 * for loops that are written in it. Operands are names of registers, low ones where nothing else is said.
 *
 * The multiplier m is cut into parts, lowest first, so that a part times the sum x stays within 32 bits:
 * m = p0 + p1 * 2^10 + p2 * 2^20 with p0, p1 < 2^10 and p2 < 2^11:
 *     x * m / 2^20 rounded down = x * p2 + floor((x * p1 + floor(x * p0 / 2^10)) / 2^10),
 * since integers may be taken in and out of a floor. Each sum in between is a product of x and the lower bits of m,
 * shifted and rounded down: within 32 bits for |x| <= 2^20, as is the whole, since m < 2^31. Shifting it by eleven more
 * leaves the last bit that goes out in the carry, and ADCS adds it: that is the first rounding, halves up.
 *
 * The second rounding is that of tn_requantize_doubled (dsp.h): the first one's result gets
 * `rounding` = (2 * (zero_point + 128) + 1) << (right - 1), less one where x is negative, and is shifted by `right`.
 * What comes out is 128 above the output, which is what TN_SATURATE takes. Exact within the limits at
 * TN_MOST_RIGHT_SHIFT and for sums up to 2^20 in magnitude.
 *
 * Larger sums, up to 2^29, are requantized in halves (gemm_swar.c, add.c): with x = xh * 2^16 + xl (xl signed) and
 * m = mh * 2^16 + ml (ml unsigned), the first rounding is
 *     2 * xh * mh + floor((xh * ml + xl * mh + floor(xl * ml / 2^16) + 2^14) / 2^15),
 * and the sum in the middle is below 2^31: its parts are below 2^29, 2^30 and 2^15. */
#ifndef TINYNAS_ARMV6M_H
#define TINYNAS_ARMV6M_H

#include "dsp.h"

/* The parts of a multiplier. */
#define TN_PART_OF_THREE(multiplier, part) ((multiplier) >> (10 * (part)) & ((part) < 2 ? 0x3FF : 0x7FF))

#if TN_THUMB1

/* Does not compile where a member of a structure is not where the assembly looks for it; wants <stddef.h>. */
#define TN_OFFSET(structure, member, offset)                                                                           \
    typedef char structure##_##member##_is_at_##offset[offsetof(structure, member) == (offset) ? 1 : -1]

/* x = round(x * m / 2^31) + rounding - [x < 0], from three parts in 11 instructions. Spoils the parts; `rounding` may
 * be in a high register. The result wants a right shift and TN_SATURATE. */
#define TN_SCALE_BY_THREE(x, p0, p1, p2, rounding)                                                                     \
    "muls   " p0 ", " x ", " p0 "\n\t"                                                                                 \
    "asrs   " p0 ", " p0 ", #10\n\t"                                                                                   \
    "muls   " p1 ", " x ", " p1 "\n\t"                                                                                 \
    "adds   " p0 ", " p0 ", " p1 "\n\t"                                                                                \
    "asrs   " p0 ", " p0 ", #10\n\t"                                                                                   \
    "muls   " p2 ", " x ", " p2 "\n\t"                                                                                 \
    "asrs   " x ", " x ", #31\n\t"                                                                                     \
    "add    " x ", " rounding "\n\t"                                                                                   \
    "adds   " p0 ", " p0 ", " p2 "\n\t"                                                                                \
    "asrs   " p0 ", " p0 ", #11\n\t"                                                                                   \
    "adcs   " x ", " p0 "\n\t"

/* x = the larger of 0 and the smaller of x and 255, less 128: an int8. Spoils t. */
#define TN_SATURATE(x, t)                                                                                              \
    "asrs   " t ", " x ", #31\n\t"                                                                                     \
    "bics   " x ", " t "\n\t"                                                                                          \
    "subs   " x ", #255\n\t"                                                                                           \
    "asrs   " t ", " x ", #31\n\t"                                                                                     \
    "ands   " x ", " t "\n\t"                                                                                          \
    "adds   " x ", #127\n\t"

#endif
#endif
