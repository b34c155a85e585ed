/* SPDX-License-Identifier: Apache-2.0
 *
 * Vector table, reset handler and fault handler of Cortex-M, in C. No interrupt is ever enabled.
 * Armv7-M Architecture Reference Manual (DDI 0403): B1.5.3 vector table, B1.5.6 exception frame, B3.2.20 CPACR.
 */
#include <stdint.h>
#include <string.h>

#include "frame.h"
#include "layout.h"
#include "protocol.h"
#include "registers.h"

int main(void);
void tn_reset_handler(void);
void tn_fault_handler(void);
void tn_fault_report(const uint32_t *frame, uint32_t vector);

#define CPACR_CP10_CP11_FULL (0xFu << 20)
#define EXCEPTION_FRAME_WORDS 8u
#define FRAME_LR 5u
#define FRAME_PC 6u

/* The initial stack pointer, then the handlers of exceptions 1 to 15. */
__attribute__((section(".vectors"), used)) const uintptr_t tn_vectors[16] = {
    (uintptr_t)tn_stack_top,
    (uintptr_t)tn_reset_handler,
    (uintptr_t)tn_fault_handler, (uintptr_t)tn_fault_handler, (uintptr_t)tn_fault_handler,
    (uintptr_t)tn_fault_handler, (uintptr_t)tn_fault_handler, (uintptr_t)tn_fault_handler,
    (uintptr_t)tn_fault_handler, (uintptr_t)tn_fault_handler, (uintptr_t)tn_fault_handler,
    (uintptr_t)tn_fault_handler, (uintptr_t)tn_fault_handler, (uintptr_t)tn_fault_handler,
    (uintptr_t)tn_fault_handler, (uintptr_t)tn_fault_handler,
};

static void clear(uint32_t *start, const uint32_t *end) { memset(start, 0, tn_span(start, end)); }

__attribute__((noreturn)) void tn_reset_handler(void) {
  const uint32_t *below;

  /* Paint from the bottom to just below this function's own frame. */
  __asm volatile("mov %0, sp" : "=r"(below));
  for (volatile uint32_t *word = tn_stack_bottom; word < below; word++) {
    *word = TN_STACK_PAINT;
  }
#ifdef __ARM_FP
  SCB_CPACR |= CPACR_CP10_CP11_FULL;
  __asm volatile("dsb\n\tisb" ::: "memory");
#endif
  memcpy(tn_data_start, tn_data_load, tn_span(tn_data_start, tn_data_end));
  clear(tn_bss_start, tn_bss_end);
  clear(tn_arena_start, tn_arena_end);
  (void)main();
  for (;;) {
  }
}

/*
 * Every exception ends here. The stack may be what overflowed, so it is abandoned first; only the address of the
 * exception frame is kept.
 */
__attribute__((naked)) void tn_fault_handler(void) {
  __asm volatile(
      "mrs r0, msp\n\t"
      "mrs r1, ipsr\n\t"
      "ldr r2, =tn_stack_top\n\t"
      "msr msp, r2\n\t"
      "ldr r2, =tn_fault_report\n\t"
      "bx r2\n\t"
      ".ltorg");
}

/* Say what happened, and again for every request that comes. */
void tn_fault_report(const uint32_t *frame, uint32_t vector) {
  uint32_t report[7] = {vector, 0u, 0u, 0u, 0u, 0u, 0u};
  uint32_t length;

  if (frame >= tn_stack_bottom && frame + EXCEPTION_FRAME_WORDS <= tn_stack_top) {
    report[1] = frame[FRAME_PC];
    report[2] = frame[FRAME_LR];
  }
#if __ARM_ARCH >= 7
  report[3] = SCB_CFSR;
  report[4] = SCB_HFSR;
  report[5] = SCB_MMFAR;
  report[6] = SCB_BFAR;
#endif
  for (;;) {
    tn_frame.version = TN_PROTOCOL_VERSION;
    tn_frame.command = TN_COMMAND_FAULT;
    tn_frame.status = TN_STATUS_FAULT;
    memcpy(tn_frame.payload, report, sizeof report);
    tn_frame_send((uint32_t)sizeof report);
    while (tn_frame_poll(&length) == TN_FRAME_NONE) {
    }
  }
}
