/* SPDX-License-Identifier: Apache-2.0
 *
 * The USART of STM32F3 and STM32F7, polled: RM0316, 29.8, and RM0385, 31.8 (the same registers and bits).
 */
#ifndef TN_STM32_USART_H
#define TN_STM32_USART_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  volatile uint32_t cr1;
  volatile uint32_t cr2;
  volatile uint32_t cr3;
  volatile uint32_t brr;
  volatile uint32_t gtpr;
  volatile uint32_t rtor;
  volatile uint32_t rqr;
  volatile uint32_t isr;
  volatile uint32_t icr;
  volatile uint32_t rdr;
  volatile uint32_t tdr;
} stm32_usart;

#define STM32_USART(address) ((stm32_usart *)(uintptr_t)(address))

#define USART_CR1_UE (1u << 0)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_ISR_ORE (1u << 3)
#define USART_ISR_RXNE (1u << 5)
#define USART_ISR_TXE (1u << 7)

/* Eight bits, no parity, one stop bit, at the nearest baud rate that the clock of the USART's bus divides into. */
static inline void stm32_usart_start(stm32_usart *usart, uint32_t bus_hz, uint32_t baud) {
  usart->brr = (bus_hz + baud / 2u) / baud;
  usart->cr1 = USART_CR1_UE | USART_CR1_RE | USART_CR1_TE;
}

static inline bool stm32_usart_read(stm32_usart *usart, uint8_t *byte) {
  uint32_t status = usart->isr;

  if ((status & USART_ISR_ORE) != 0u) {
    usart->icr = USART_ISR_ORE; /* a lost byte spoils one frame; its CRC finds out */
  }
  if ((status & USART_ISR_RXNE) == 0u) {
    return false;
  }
  *byte = (uint8_t)usart->rdr;
  return true;
}

static inline void stm32_usart_write(stm32_usart *usart, uint8_t byte) {
  while ((usart->isr & USART_ISR_TXE) == 0u) {
  }
  usart->tdr = byte;
}

#endif
