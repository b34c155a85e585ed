/* SPDX-License-Identifier: Apache-2.0
 *
 * What this image is: the only part of the runtime that depends on the model and the board's name. The names have
 * fixed room, so that the size of the runtime depends on neither.
 */
#ifndef TN_IDENTITY_H
#define TN_IDENTITY_H

#include <stdint.h>

#define TN_NAME_BYTES 32u

struct tn_identity {
  uint32_t input_bytes;
  uint32_t output_bytes;
  uint32_t arena_bytes;
  uint32_t steps;
  uint32_t row_bytes; /* of the input where it comes row by row; 0 where it is there as a whole */
  uint32_t build_id;
  char board[TN_NAME_BYTES]; /* padded with zeros, not terminated when full */
  char model[TN_NAME_BYTES];
};

extern const struct tn_identity tn_identity;

#endif
