/* SPDX-License-Identifier: Apache-2.0
 *
 * STM32F303x6/x8. Registers and bits: RM0316 (reference manual): section 9.4 RCC, 4.5.1 FLASH_ACR, 11.4 GPIO, 29.8 USART.
 *
 * Clock: 72 MHz needs HSE * 9 with an 8 MHz clock on OSC_IN: on this part the PLL takes HSI divided by two only, hence
 * at most 4 MHz * 16 = 64 MHz without HSE (RM0316, 9.4.2: PLLSRC, PLLMUL). OSC_IN is driven by the debugger's clock
 * output, so HSE is bypassed. Where that clock is not wired up, HSERDY never comes: we fall back to 64 MHz and
 * hal_clock_hz() says so.
 */
#include "../hal.h"
#include "../registers.h"
#include "../stm32_usart.h"

#define RCC_CR TN_REG(0x40021000u)
#define RCC_CFGR TN_REG(0x40021004u)
#define RCC_AHBENR TN_REG(0x40021014u)
#define RCC_APB1ENR TN_REG(0x4002101Cu)
#define FLASH_ACR TN_REG(0x40022000u)
#define GPIOA_MODER TN_REG(0x48000000u)
#define GPIOA_OSPEEDR TN_REG(0x48000008u)
#define GPIOA_AFRL TN_REG(0x48000020u)
#define GPIOA_AFRH TN_REG(0x48000024u)
#define USART2 STM32_USART(0x40004400u)

#define CR_HSEON (1u << 16)
#define CR_HSERDY (1u << 17)
#define CR_HSEBYP (1u << 18)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define CFGR_SW_PLL 2u
#define CFGR_SWS_MASK (3u << 2)
#define CFGR_SWS_PLL (2u << 2)
#define CFGR_PPRE1_DIV2 (4u << 8)
#define CFGR_PLLSRC_HSE (1u << 16)
#define CFGR_PLLMUL(n) (((n) - 2u) << 18)
#define AHBENR_GPIOA (1u << 17)
#define APB1ENR_USART2 (1u << 17)
#define ACR_TWO_WAIT_STATES 2u /* 48 MHz < HCLK <= 72 MHz: RM0316, 4.5.1 */
#define ACR_PREFETCH (1u << 4)

/* Register reads to wait for HSERDY. An external clock is ready after a few cycles; at 8 MHz this is about 2 ms. */
#define HSE_POLLS 4096u

static uint32_t clock_hz;

static void start_clock(void) {
  uint32_t polls = HSE_POLLS;
  uint32_t pll;

  RCC_CR |= CR_HSEBYP;
  RCC_CR |= CR_HSEON;
  while ((RCC_CR & CR_HSERDY) == 0u && --polls != 0u) {
  }
  if ((RCC_CR & CR_HSERDY) != 0u) {
    pll = CFGR_PLLSRC_HSE | CFGR_PLLMUL(9u);
    clock_hz = 72000000u;
  } else {
    RCC_CR &= ~CR_HSEON;
    pll = CFGR_PLLMUL(16u);
    clock_hz = 64000000u;
  }
  FLASH_ACR = ACR_TWO_WAIT_STATES | ACR_PREFETCH;
  RCC_CFGR = pll | CFGR_PPRE1_DIV2; /* APB1 runs at 36 MHz at most: RM0316, 9.2 */
  RCC_CR |= CR_PLLON;
  while ((RCC_CR & CR_PLLRDY) == 0u) {
  }
  RCC_CFGR |= CFGR_SW_PLL;
  while ((RCC_CFGR & CFGR_SWS_MASK) != CFGR_SWS_PLL) {
  }
}

/* USART2 on PA2 (TX) and PA15 (RX), alternate function 7: DS9866, table "Alternate functions for port A". */
static void start_uart(void) {
  uint32_t pclk1 = clock_hz / 2u;

  RCC_AHBENR |= AHBENR_GPIOA;
  RCC_APB1ENR |= APB1ENR_USART2;
  GPIOA_AFRL = (GPIOA_AFRL & ~(0xFu << 8)) | (7u << 8);
  GPIOA_AFRH = (GPIOA_AFRH & ~(0xFu << 28)) | (7u << 28);
  GPIOA_OSPEEDR |= 1u << 4;
  GPIOA_MODER = (GPIOA_MODER & ~((3u << 4) | (3u << 30))) | (2u << 4) | (2u << 30);
  stm32_usart_start(USART2, pclk1, TN_BAUD);
}

void hal_init(void) {
  start_clock();
  start_uart();
  tn_start_cycle_counter();
}

uint32_t hal_clock_hz(void) { return clock_hz; }

uint32_t hal_ticks(void) { return DWT_CYCCNT; }

bool hal_uart_read(uint8_t *byte) { return stm32_usart_read(USART2, byte); }

void hal_uart_write(uint8_t byte) { stm32_usart_write(USART2, byte); }
