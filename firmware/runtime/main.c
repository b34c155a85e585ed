/* SPDX-License-Identifier: Apache-2.0
 *
 * The main loop: take a request from the serial line, answer it, for ever. Nothing here depends on the model but
 * through tn_identity and the functions that it declares: of those that are weak, a model has the ones for its kind of
 * input, which tn_identity.row_bytes tells.
 */
#include <stdbool.h>
#include <string.h>

#include "frame.h"
#include "hal.h"
#include "identity.h"
#include "layout.h"
#include "protocol.h"

const int8_t *model_output(void);
void model_invoke_profiled(uint32_t *ticks);

/* The input is there as a whole. */
__attribute__((weak)) int8_t *model_input(void);
__attribute__((weak)) void model_invoke(void);

/* It comes row by row. */
__attribute__((weak)) void model_restart(void);
__attribute__((weak)) int8_t *model_row(void);
__attribute__((weak)) int32_t model_push_row(const int8_t *row);

int main(void);

/*
 * An inference overwrites its input, so a RUN must not be executed twice when only its answer was lost on the line:
 * a RUN with the sequence number of the RUN right before it is answered again from here.
 */
static struct {
  uint64_t ticks;
  uint32_t inferences;
  uint8_t sequence;
  bool repeatable;
} last_run;

/*
 * The image of a model that takes rows: how much of it has come, and what its rows have taken. A row is pushed once, so
 * a WRITE_INPUT with the sequence number of the one right before it is answered again and does nothing.
 */
static struct {
  uint64_t ticks;
  uint32_t written;
  uint8_t sequence;
  bool repeatable;
} image;

static uint32_t argument(uint32_t index) {
  uint32_t value;

  memcpy(&value, tn_frame.payload + 4u * index, sizeof value);
  return value;
}

static void answer(uint32_t index, uint32_t value) { memcpy(tn_frame.payload + 4u * index, &value, sizeof value); }

static uint32_t fail(enum tn_status status) {
  tn_frame.status = (uint8_t)status;
  return 0u;
}

static uint32_t hello(void) {
  answer(0u, hal_clock_hz());
  answer(1u, TN_FRAME_PAYLOAD);
  memcpy(tn_frame.payload + 8u, &tn_identity, sizeof tn_identity);
  return 8u + (uint32_t)sizeof tn_identity;
}

/* Gather a row where it belongs, push it when it is complete. Offset 0 begins an image, everything else continues it. */
static uint32_t write_rows(uint32_t offset, const uint8_t *bytes, uint32_t size) {
  if (offset == 0u) {
    model_restart();
    image.written = 0u;
    image.ticks = 0u;
  } else if (offset != image.written) {
    return fail(TN_STATUS_OUT_OF_RANGE);
  }
  while (size > 0u) {
    uint32_t begun = image.written % tn_identity.row_bytes;
    uint32_t missing = tn_identity.row_bytes - begun;
    uint32_t piece = size < missing ? size : missing;

    memcpy(model_row() + begun, bytes, piece);
    if (piece == missing) {
      uint32_t start = hal_ticks();

      (void)model_push_row(model_row());
      image.ticks += hal_ticks() - start;
    }
    image.written += piece;
    bytes += piece;
    size -= piece;
  }
  image.sequence = tn_frame.sequence;
  image.repeatable = true;
  return 0u;
}

static uint32_t write_input(uint32_t length) {
  uint32_t offset = argument(0u);
  uint32_t size = length - 4u;

  if (length < 4u) {
    return fail(TN_STATUS_BAD_LENGTH);
  }
  if (offset > tn_identity.input_bytes || size > tn_identity.input_bytes - offset) {
    return fail(TN_STATUS_OUT_OF_RANGE);
  }
  if (tn_identity.row_bytes == 0u) {
    memcpy(model_input() + offset, tn_frame.payload + 4u, size);
  } else if (!image.repeatable || image.sequence != tn_frame.sequence) {
    return write_rows(offset, tn_frame.payload + 4u, size);
  }
  return 0u;
}

/* The input is overwritten by an inference: only the output of the first one means something, the ticks of all do.
 * Where the input comes by rows, the inference is complete with the last of them. */
static uint32_t run(void) {
  if (tn_identity.row_bytes != 0u) {
    if (argument(0u) != 1u || image.written != tn_identity.input_bytes) {
      return fail(TN_STATUS_NO_IMAGE);
    }
    answer(0u, 1u);
    answer(1u, (uint32_t)image.ticks);
    answer(2u, (uint32_t)(image.ticks >> 32));
    return 12u;
  }
  if (!last_run.repeatable || last_run.sequence != tn_frame.sequence) {
    last_run.inferences = argument(0u);
    last_run.ticks = 0u;
    for (uint32_t index = 0; index < last_run.inferences; index++) {
      uint32_t start = hal_ticks();

      model_invoke();
      last_run.ticks += hal_ticks() - start;
    }
    last_run.sequence = tn_frame.sequence;
    last_run.repeatable = true;
  }
  answer(0u, last_run.inferences);
  answer(1u, (uint32_t)last_run.ticks);
  answer(2u, (uint32_t)(last_run.ticks >> 32));
  return 12u;
}

static uint32_t read_output(void) {
  uint32_t offset = argument(0u);
  uint32_t size = argument(1u);

  if (offset > tn_identity.output_bytes || size > tn_identity.output_bytes - offset || size > TN_FRAME_PAYLOAD) {
    return fail(TN_STATUS_OUT_OF_RANGE);
  }
  memcpy(tn_frame.payload, model_output() + offset, size);
  return size;
}

/* Where the input comes by rows, whatever bytes there are stand for an image: the one that was written is gone. */
static uint32_t profile(void) {
  image.written = 0u;
  model_invoke_profiled((uint32_t *)(void *)tn_frame.payload);
  return 4u * tn_identity.steps;
}

static uint32_t memory(void) {
  const uint32_t *untouched = tn_stack_bottom;

  /* cppcheck-suppress comparePointers ; both are ends of one area, named by the linker script */
  while (untouched < tn_stack_top && *untouched == TN_STACK_PAINT) {
    untouched++;
  }
  answer(0u, tn_span(tn_data_start, tn_data_end));
  answer(1u, tn_span(tn_bss_start, tn_bss_end));
  answer(2u, tn_span(tn_arena_start, tn_arena_end));
  answer(3u, tn_span(tn_buffers_start, tn_buffers_end));
  answer(4u, tn_span(tn_stack_bottom, tn_stack_top));
  answer(5u, tn_span(untouched, tn_stack_top));
  return 24u;
}

/* Execute the request in tn_frame; returns the payload bytes of the answer. */
static uint32_t execute(uint32_t length) {
  tn_frame.status = TN_STATUS_OK;
  if (tn_frame.version != TN_PROTOCOL_VERSION) {
    return fail(TN_STATUS_BAD_VERSION);
  }
  if (tn_frame.command != TN_COMMAND_RUN) {
    last_run.repeatable = false;
  }
  if (tn_frame.command != TN_COMMAND_WRITE_INPUT) {
    image.repeatable = false;
  }
  switch (tn_frame.command) {
    case TN_COMMAND_HELLO:
      return hello();
    case TN_COMMAND_WRITE_INPUT:
      return write_input(length);
    case TN_COMMAND_RUN:
      return length == 4u ? run() : fail(TN_STATUS_BAD_LENGTH);
    case TN_COMMAND_READ_OUTPUT:
      return length == 8u ? read_output() : fail(TN_STATUS_BAD_LENGTH);
    case TN_COMMAND_PROFILE:
      return profile();
    case TN_COMMAND_MEMORY:
      return memory();
    default:
      return fail(TN_STATUS_BAD_COMMAND);
  }
}

int main(void) {
  hal_init();
  for (;;) {
    uint32_t length = 0u;
    enum tn_frame_event event = tn_frame_poll(&length);

    if (event == TN_FRAME_NONE) {
      continue;
    }
    if (event == TN_FRAME_READY) {
      length = execute(length);
    } else {
      tn_frame.command = TN_COMMAND_NONE;
      length = fail(TN_STATUS_BAD_FRAME);
    }
    tn_frame.version = TN_PROTOCOL_VERSION;
    tn_frame_send(length);
  }
}
