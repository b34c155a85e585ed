/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands and status codes of the serial protocol, version 2. docs/protocol.md describes every byte.
 */
#ifndef TN_PROTOCOL_H
#define TN_PROTOCOL_H

#define TN_PROTOCOL_VERSION 2u

enum tn_command {
  TN_COMMAND_NONE = 0x00,
  TN_COMMAND_HELLO = 0x01,
  TN_COMMAND_WRITE_INPUT = 0x02,
  TN_COMMAND_RUN = 0x03,
  TN_COMMAND_READ_OUTPUT = 0x04,
  TN_COMMAND_PROFILE = 0x05,
  TN_COMMAND_MEMORY = 0x06,
  TN_COMMAND_FAULT = 0x7F,
};

enum tn_status {
  TN_STATUS_OK = 0x00,
  TN_STATUS_BAD_FRAME = 0x01,
  TN_STATUS_BAD_VERSION = 0x02,
  TN_STATUS_BAD_COMMAND = 0x03,
  TN_STATUS_BAD_LENGTH = 0x04,
  TN_STATUS_OUT_OF_RANGE = 0x05,
  TN_STATUS_FAULT = 0x06,
  TN_STATUS_NO_IMAGE = 0x07,
};

#endif
