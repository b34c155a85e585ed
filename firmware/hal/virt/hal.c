/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference boards, which exist in the emulator only. One invented peripheral at 0x40000000 serves all cores:
 *   +0x0 STATUS  bit 0: a byte was received; bit 1: a byte can be sent
 *   +0x4 DATA    read: take the received byte; write: send a byte
 *   +0x8 TICKS   free running 32-bit counter (Cortex-M0+ has no DWT->CYCCNT and its SysTick has 24 bits only)
 */
#include "../hal.h"
#include "../registers.h"

#define VIRT_STATUS TN_REG(0x40000000u)
#define VIRT_DATA TN_REG(0x40000004u)
#define VIRT_TICKS TN_REG(0x40000008u)

#define STATUS_RECEIVED (1u << 0)
#define STATUS_CAN_SEND (1u << 1)

void hal_init(void) {}

uint32_t hal_clock_hz(void) { return TN_CLOCK_HZ; }

uint32_t hal_ticks(void) { return VIRT_TICKS; }

bool hal_uart_read(uint8_t *byte) {
  if ((VIRT_STATUS & STATUS_RECEIVED) == 0u) {
    return false;
  }
  *byte = (uint8_t)VIRT_DATA;
  return true;
}

void hal_uart_write(uint8_t byte) {
  while ((VIRT_STATUS & STATUS_CAN_SEND) == 0u) {
  }
  VIRT_DATA = byte;
}
