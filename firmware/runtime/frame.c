/* SPDX-License-Identifier: Apache-2.0
 *
 * COBS: S. Cheshire, M. Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999.
 * CRC-32: IEEE 802.3, reflected polynomial 0xEDB88320, as zlib computes it; bit by bit, because flash is scarcer than time.
 */
#include "frame.h"

#include "hal.h"

#define COBS_LONGEST_RUN 254u

__attribute__((section(".bss.buffers"), aligned(4))) struct tn_frame tn_frame;

static struct {
  uint32_t length;    /* decoded bytes so far */
  uint8_t code;       /* length code of the current run, 0 before the first */
  uint8_t remaining;  /* data bytes left in the current run */
  bool too_long;
} receiver;

static uint8_t *frame_bytes(void) { return (uint8_t *)&tn_frame; }

static uint32_t crc32(const uint8_t *data, uint32_t size) {
  uint32_t crc = 0xFFFFFFFFu;

  while (size-- != 0u) {
    crc ^= *data++;
    for (uint32_t bit = 0; bit < 8u; bit++) {
      crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
  }
  return ~crc;
}

static void store(uint8_t byte) {
  if (receiver.length >= sizeof tn_frame) {
    receiver.too_long = true;
    return;
  }
  frame_bytes()[receiver.length++] = byte;
}

static uint32_t read_u32(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static enum tn_frame_event finish(uint32_t *payload_bytes) {
  uint32_t length = receiver.length;
  bool complete = receiver.remaining == 0u && !receiver.too_long && length >= TN_FRAME_HEADER + TN_FRAME_CRC;
  bool empty = receiver.code == 0u;

  receiver.length = 0u;
  receiver.code = 0u;
  receiver.remaining = 0u;
  receiver.too_long = false;
  if (empty) {
    return TN_FRAME_NONE; /* zero bytes between frames resynchronise the line and mean nothing */
  }
  if (!complete || crc32(frame_bytes(), length - TN_FRAME_CRC) != read_u32(frame_bytes() + length - TN_FRAME_CRC)) {
    return TN_FRAME_DAMAGED;
  }
  *payload_bytes = length - TN_FRAME_HEADER - TN_FRAME_CRC;
  return TN_FRAME_READY;
}

enum tn_frame_event tn_frame_poll(uint32_t *payload_bytes) {
  uint8_t byte;

  if (!hal_uart_read(&byte)) {
    return TN_FRAME_NONE;
  }
  if (byte == 0u) {
    return finish(payload_bytes);
  }
  if (receiver.remaining != 0u) {
    receiver.remaining--;
    store(byte);
    return TN_FRAME_NONE;
  }
  if (receiver.code != 0u && receiver.code != 0xFFu) {
    store(0u);
  }
  receiver.code = byte;
  receiver.remaining = (uint8_t)(byte - 1u);
  return TN_FRAME_NONE;
}

void tn_frame_send(uint32_t payload_bytes) {
  uint8_t *bytes = frame_bytes();
  uint32_t body = TN_FRAME_HEADER + payload_bytes;
  uint32_t length = body + TN_FRAME_CRC;
  uint32_t crc = crc32(bytes, body);
  uint32_t start = 0u;

  for (uint32_t index = 0; index < TN_FRAME_CRC; index++, crc >>= 8) {
    bytes[body + index] = (uint8_t)crc;
  }
  for (;;) {
    uint32_t run = 0u;

    while (start + run < length && run < COBS_LONGEST_RUN && bytes[start + run] != 0u) {
      run++;
    }
    hal_uart_write((uint8_t)(run + 1u));
    for (uint32_t index = 0; index < run; index++) {
      hal_uart_write(bytes[start + index]);
    }
    start += run;
    if (start == length) {
      break;
    }
    if (run != COBS_LONGEST_RUN) {
      start++; /* the zero that ended the run */
    }
  }
  hal_uart_write(0u);
}
