/* SPDX-License-Identifier: Apache-2.0
 *
 * Symbols of the linker script (firmware/linker/firmware.ld.j2): addresses, not variables.
 */
#ifndef TN_LAYOUT_H
#define TN_LAYOUT_H

#include <stdint.h>

extern uint32_t tn_stack_bottom[], tn_stack_top[];
extern uint32_t tn_data_start[], tn_data_end[];
extern const uint32_t tn_data_load[];
extern uint32_t tn_bss_start[], tn_bss_end[];
extern uint32_t tn_arena_start[], tn_arena_end[];
extern uint32_t tn_buffers_start[], tn_buffers_end[];

/* The startup code fills the stack with this word; what still holds it was never used. */
#define TN_STACK_PAINT 0xA5C35A3Cu

static inline uint32_t tn_span(const uint32_t *start, const uint32_t *end) {
  return (uint32_t)((uintptr_t)end - (uintptr_t)start);
}

#endif
