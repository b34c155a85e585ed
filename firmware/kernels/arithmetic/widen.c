/* SPDX-License-Identifier: Apache-2.0 */
#include "widen.h"

#include "../kernel.h"
#include "dsp.h"

TN_KERNEL uint32_t *tn_widen(uint32_t *to, const int8_t *from, int32_t count)
{
    const int32_t even = count & ~1;
    from += even;
#if TN_THUMB1
    if (even > 0) {
        const int8_t *second = from + 1;
        int32_t i = -even;
        /* Four elements a round, entered in the middle where two are left over: bit 1 of their number. */
        __asm__ volatile(".syntax unified\n\t"
                         "lsrs   r0, %[i], #2\n\t"
                         "bcs    2f\n"
                         "1:\n\t"
                         "ldrsb  r0, [%[first], %[i]]\n\t"
                         "ldrsb  r1, [%[second], %[i]]\n\t"
                         "stmia  %[to]!, {r0, r1}\n\t"
                         "adds   %[i], #2\n"
                         "2:\n\t"
                         "ldrsb  r0, [%[first], %[i]]\n\t"
                         "ldrsb  r1, [%[second], %[i]]\n\t"
                         "stmia  %[to]!, {r0, r1}\n\t"
                         "adds   %[i], #2\n\t"
                         "bne    1b"
                         : [to] "+l"(to), [i] "+l"(i)
                         : [first] "l"(from), [second] "l"(second)
                         : "r0", "r1", "cc", "memory");
    }
#else
    for (int32_t i = -even; i < 0; i++) {
        *to++ = (uint32_t)from[i];
    }
#endif
    if (even != count) {
        *to++ = (uint32_t)*from;
    }
    return to;
}
