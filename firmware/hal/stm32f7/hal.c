/* SPDX-License-Identifier: Apache-2.0
 *
 * STM32F74x/F75x. Written to RM0385 (reference manual): section 5.3 RCC, 4.1.4 and 4.4 PWR (over-drive), 3.7.1 FLASH_ACR,
 * 6.4 GPIO, 31.8 USART; caches: Arm Cortex-M7 Generic User Guide (DUI 0646), 4.8. Not yet tried on hardware.
 *
 * Clock: 216 MHz = 25 MHz (HSE crystal) / 25 * 432 / 2, with over-drive and 7 wait states. Without HSE the same PLL
 * runs from HSI: 16 MHz / 16 * 432 / 2.
 */
#include "../hal.h"
#include "../registers.h"
#include "../stm32_usart.h"

#define RCC_CR TN_REG(0x40023800u)
#define RCC_PLLCFGR TN_REG(0x40023804u)
#define RCC_CFGR TN_REG(0x40023808u)
#define RCC_AHB1ENR TN_REG(0x40023830u)
#define RCC_APB1ENR TN_REG(0x40023840u)
#define RCC_APB2ENR TN_REG(0x40023844u)
#define PWR_CR1 TN_REG(0x40007000u)
#define PWR_CSR1 TN_REG(0x40007004u)
#define FLASH_ACR TN_REG(0x40023C00u)
#define GPIOA_MODER TN_REG(0x40020000u)
#define GPIOA_OSPEEDR TN_REG(0x40020008u)
#define GPIOA_AFRH TN_REG(0x40020024u)
#define GPIOB_MODER TN_REG(0x40020400u)
#define GPIOB_AFRL TN_REG(0x40020420u)
#define USART1 STM32_USART(0x40011000u)

#define SCB_ICIALLU TN_REG(0xE000EF50u)
#define SCB_DCISW TN_REG(0xE000EF60u)
#define SCB_CCSIDR TN_REG(0xE000ED80u)
#define SCB_CSSELR TN_REG(0xE000ED84u)
#define CCR_IC (1u << 17)
#define CCR_DC (1u << 16)

#define CR_HSEON (1u << 16)
#define CR_HSERDY (1u << 17)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define PLLCFGR_SRC_HSE (1u << 22)
#define PLLCFGR_VALUE(m) ((m) | 432u << 6 | 0u << 16 | 9u << 24) /* N = 432, P = 2, Q = 9 */
#define CFGR_SW_PLL 2u
#define CFGR_SWS_MASK (3u << 2)
#define CFGR_SWS_PLL (2u << 2)
#define CFGR_PPRE1_DIV4 (5u << 10)
#define CFGR_PPRE2_DIV2 (4u << 13)
#define APB1ENR_PWR (1u << 28)
#define APB2ENR_USART1 (1u << 4)
#define CR1_ODEN (1u << 16)
#define CR1_ODSWEN (1u << 17)
#define CSR1_ODRDY (1u << 16)
#define CSR1_ODSWRDY (1u << 17)
#define ACR_SEVEN_WAIT_STATES 7u /* 210 MHz < HCLK <= 216 MHz at 2.7 to 3.6 V: RM0385, table 6 */
#define ACR_PREFETCH (1u << 8)

#define CLOCK_HZ 216000000u
#define PCLK2_HZ (CLOCK_HZ / 2u)
/* Register reads to wait for HSERDY. A crystal starts in about 2 ms (DS10916, HSE characteristics); this is ten times that. */
#define HSE_POLLS 65536u

static void start_clock(void) {
  uint32_t polls = HSE_POLLS;

  RCC_APB1ENR |= APB1ENR_PWR;
  RCC_CR |= CR_HSEON;
  while ((RCC_CR & CR_HSERDY) == 0u && --polls != 0u) {
  }
  RCC_PLLCFGR = (RCC_CR & CR_HSERDY) != 0u ? PLLCFGR_VALUE(25u) | PLLCFGR_SRC_HSE : PLLCFGR_VALUE(16u);
  RCC_CR |= CR_PLLON;
  PWR_CR1 |= CR1_ODEN;
  while ((PWR_CSR1 & CSR1_ODRDY) == 0u) {
  }
  PWR_CR1 |= CR1_ODSWEN;
  while ((PWR_CSR1 & CSR1_ODSWRDY) == 0u) {
  }
  FLASH_ACR = ACR_SEVEN_WAIT_STATES | ACR_PREFETCH;
  RCC_CFGR = CFGR_PPRE1_DIV4 | CFGR_PPRE2_DIV2; /* APB1 54 MHz and APB2 108 MHz at most: DS10916, general operating conditions */
  while ((RCC_CR & CR_PLLRDY) == 0u) {
  }
  RCC_CFGR |= CFGR_SW_PLL;
  while ((RCC_CFGR & CFGR_SWS_MASK) != CFGR_SWS_PLL) {
  }
}

/* Both caches hold rubbish after reset and are invalidated before they are switched on, the data cache set by set. */
static void start_caches(void) {
  uint32_t size;

  __asm volatile("dsb\n\tisb" ::: "memory");
  SCB_ICIALLU = 0u;
  __asm volatile("dsb\n\tisb" ::: "memory");
  SCB_CCR |= CCR_IC;
  SCB_CSSELR = 0u; /* level 1, data */
  __asm volatile("dsb" ::: "memory");
  size = SCB_CCSIDR;
  for (uint32_t set = 0; set <= (size >> 13 & 0x7FFFu); set++) {
    for (uint32_t way = 0; way <= (size >> 3 & 0x3FFu); way++) {
      SCB_DCISW = way << 30 | set << 5; /* four ways, lines of 32 bytes */
    }
  }
  __asm volatile("dsb" ::: "memory");
  SCB_CCR |= CCR_DC;
  __asm volatile("dsb\n\tisb" ::: "memory");
}

/* USART1 on PA9 (TX) and PB7 (RX), alternate function 7: DS10916, "STM32F745xx and STM32F746xx alternate function mapping". */
static void start_uart(void) {
  RCC_AHB1ENR |= 3u; /* GPIOA, GPIOB */
  RCC_APB2ENR |= APB2ENR_USART1;
  GPIOA_AFRH = (GPIOA_AFRH & ~(0xFu << 4)) | 7u << 4;
  GPIOB_AFRL = (GPIOB_AFRL & ~(0xFu << 28)) | 7u << 28;
  GPIOA_OSPEEDR |= 1u << 18;
  GPIOA_MODER = (GPIOA_MODER & ~(3u << 18)) | 2u << 18;
  GPIOB_MODER = (GPIOB_MODER & ~(3u << 14)) | 2u << 14;
  stm32_usart_start(USART1, PCLK2_HZ, TN_BAUD);
}

void hal_init(void) {
  start_clock();
  start_caches();
  start_uart();
  tn_start_cycle_counter();
}

uint32_t hal_clock_hz(void) { return CLOCK_HZ; }

uint32_t hal_ticks(void) { return DWT_CYCCNT; }

bool hal_uart_read(uint8_t *byte) { return stm32_usart_read(USART1, byte); }

void hal_uart_write(uint8_t byte) { stm32_usart_write(USART1, byte); }
