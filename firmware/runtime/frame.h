/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames on the serial line: COBS(header, payload, CRC-32) followed by a zero byte. See docs/protocol.md.
 * There is one buffer: a request is answered in place.
 */
#ifndef TN_FRAME_H
#define TN_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define TN_FRAME_PAYLOAD 1024u

enum { TN_FRAME_HEADER = 4u, TN_FRAME_CRC = 4u };

struct tn_frame {
  uint8_t version;
  uint8_t command;
  uint8_t sequence;
  uint8_t status;
  uint8_t payload[TN_FRAME_PAYLOAD + TN_FRAME_CRC];
};

enum tn_frame_event {
  TN_FRAME_NONE,    /* nothing received, or a frame that is not complete yet */
  TN_FRAME_READY,   /* a frame with a correct CRC lies in tn_frame */
  TN_FRAME_DAMAGED, /* bytes were lost or changed, or the frame is too long */
};

extern struct tn_frame tn_frame;

/* Take one byte from the serial port, if there is one. *payload_bytes is set when a frame is ready. */
enum tn_frame_event tn_frame_poll(uint32_t *payload_bytes);

/* Send tn_frame with `payload_bytes` of payload. */
void tn_frame_send(uint32_t payload_bytes);

#endif
