/* SPDX-License-Identifier: Apache-2.0
 *
 * The hardware abstraction layer: everything the runtime asks of a microcontroller family. One folder per family
 * implements it in one file. No interrupts are used anywhere; the serial port is polled.
 */
#ifndef TN_HAL_H
#define TN_HAL_H

#include <stdbool.h>
#include <stdint.h>

/* Set up clock, serial port (TN_BAUD, 8 data bits, no parity, 1 stop bit) and tick counter. Called once, after .data and .bss. */
void hal_init(void);

/* Clock of the core in Hz as it really runs: a HAL that had to fall back to a slower source says so here. */
uint32_t hal_clock_hz(void);

/* Free running counter of core clock cycles. It wraps at 2^32: differences are exact up to 2^32 - 1 cycles. */
uint32_t hal_ticks(void);

/* Store one received byte and return true, or return false at once when there is none. */
bool hal_uart_read(uint8_t *byte);

/* Send one byte; waits while the transmitter is full. */
void hal_uart_write(uint8_t byte);

#endif
