/* SPDX-License-Identifier: Apache-2.0 */
#include "clamp_outputs.h"

#include "../kernel.h"
#include "dsp.h"

#if TN_DSP

/* Four outputs at once, as bytes from 0 to 255: adding what `high` leaves to 255 saturates everything above `high`,
 * subtracting that and `low` saturates everything below `low`, and adding the latter puts values back in their place,
 * as int8 again. */
typedef struct {
    uint32_t above;
    uint32_t both;
    uint32_t low;
} bounds;

static inline bounds bounds_of(int32_t low, int32_t high)
{
    const uint32_t every_byte = 0x01010101u;
    const bounds found = {
        (uint32_t)(INT8_MAX - high) * every_byte,
        (uint32_t)(INT8_MAX - high + low - INT8_MIN) * every_byte,
        (uint32_t)(uint8_t)low * every_byte,
    };
    return found;
}

static inline uint32_t clamp_word(uint32_t word, const bounds *b)
{
    word ^= 0x80808080u;
    __asm__("uqadd8 %0, %0, %1\n\t"
            "uqsub8 %0, %0, %2\n\t"
            "uadd8  %0, %0, %3"
            : "+r"(word)
            : "r"(b->above), "r"(b->both), "r"(b->low)
            : "cc");
    return word;
}

#endif

/* One output. Written without a choice, of which Armv6-M compilers make branches: the time of a layer would depend on
 * its data. */
static inline int8_t clamp_byte(int32_t value, int32_t low, int32_t high)
{
    const int32_t raised = value - low;
    const int32_t lowered = (raised & ~(raised >> 31)) - (high - low);
    return (int8_t)((lowered & (lowered >> 31)) + high);
}

TN_KERNEL void tn_clamp_outputs(int8_t *output, int32_t count, int32_t low, int32_t high)
{
    if (low > INT8_MIN || high < INT8_MAX) {
#if TN_DSP
        const bounds b = bounds_of(low, high);
        for (int32_t i = count >> 2; i > 0; i--) {
            tn_store_word(output, clamp_word(tn_load_word(output), &b));
            output += 4;
        }
        count &= 3;
#endif
        for (int32_t i = count; i > 0; i--) {
            *output = clamp_byte(*output, low, high);
            output++;
        }
    }
}
