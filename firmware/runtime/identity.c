/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include "frame.h"
#include "model.h"

/* PROFILE returns one 32-bit tick count per step in one frame. */
_Static_assert(TN_MODEL_STEPS <= TN_FRAME_PAYLOAD / 4u, "too many steps for one profile frame");

const struct tn_identity tn_identity = {
    .input_bytes = TN_MODEL_INPUT_BYTES,
    .output_bytes = TN_MODEL_OUTPUT_BYTES,
    .arena_bytes = TN_MODEL_ARENA_BYTES,
    .steps = TN_MODEL_STEPS,
#ifdef TN_MODEL_INPUT_ROW_BYTES
    .row_bytes = TN_MODEL_INPUT_ROW_BYTES,
#endif
    .build_id = TN_BUILD_ID,
    .board = {TN_BOARD_NAME},
    .model = {TN_MODEL_LABEL},
};
