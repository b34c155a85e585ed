/* SPDX-License-Identifier: Apache-2.0
 *
 * Access to memory mapped registers, and the few registers of the core that every Cortex-M HAL needs.
 * Addresses: Armv7-M Architecture Reference Manual (DDI 0403), B3.2 (SCB), C1.8 (DWT), C1.6.5 (DEMCR).
 */
#ifndef TN_REGISTERS_H
#define TN_REGISTERS_H

#include <stdint.h>

#define TN_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define SCB_VTOR TN_REG(0xE000ED08u)
#define SCB_CCR TN_REG(0xE000ED14u)
#define SCB_CFSR TN_REG(0xE000ED28u)
#define SCB_HFSR TN_REG(0xE000ED2Cu)
#define SCB_MMFAR TN_REG(0xE000ED34u)
#define SCB_BFAR TN_REG(0xE000ED38u)
#define SCB_CPACR TN_REG(0xE000ED88u)
#define SCB_DEMCR TN_REG(0xE000EDFCu)

#define DWT_CTRL TN_REG(0xE0001000u)
#define DWT_CYCCNT TN_REG(0xE0001004u)
#define DWT_LAR TN_REG(0xE0001FB0u)

#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL_CYCCNTENA (1u << 0)
#define DWT_LAR_KEY 0xC5ACCE55u

/* Start DWT->CYCCNT at zero. Cortex-M7 locks the DWT until the key is written (DDI 0489, section 10.3: software lock). */
static inline void tn_start_cycle_counter(void) {
  SCB_DEMCR |= DEMCR_TRCENA;
#ifdef TN_CORE_CORTEX_M7
  DWT_LAR = DWT_LAR_KEY;
#endif
  DWT_CYCCNT = 0u;
  DWT_CTRL |= DWT_CTRL_CYCCNTENA;
}

#endif
