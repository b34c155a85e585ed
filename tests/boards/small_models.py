"""Small models written by hand, so that the firmware can be tested without the code generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinynas.boards import Device, Firmware, VirtualBoard, ZigToolchain, build_firmware
from tinynas.targets import Board

_HEADER = """
#include <stdint.h>
#define TN_MODEL_NAME "{name}"
#define TN_MODEL_INPUT_BYTES {input_bytes}
#define TN_MODEL_OUTPUT_BYTES {output_bytes}
#define TN_MODEL_ARENA_BYTES {arena_bytes}
#define TN_MODEL_STEPS {steps}
int8_t *model_input(void);
const int8_t *model_output(void);
void model_invoke(void);
void model_invoke_profiled(uint32_t *ticks);
"""

_SOURCE = """
#include "model.h"
#ifdef TN_PROFILE
#include "hal.h"
#endif
{declarations}
extern int8_t model_arena[TN_MODEL_ARENA_BYTES];
#ifndef TN_PROFILE
__attribute__((section(".bss.arena"), aligned(16))) int8_t model_arena[TN_MODEL_ARENA_BYTES];
int8_t *model_input(void) {{ return model_arena; }}
const int8_t *model_output(void) {{ return model_arena + {output_offset}; }}
void model_invoke(void) {{ {calls} }}
#else
void model_invoke_profiled(uint32_t *ticks) {{
  uint32_t start;
  {timed_calls}
}}
#endif
"""

COPY_KERNEL = """
#include <stdint.h>
#include <string.h>
void copy(const int8_t *in, int8_t *out, uint32_t size);
void copy(const int8_t *in, int8_t *out, uint32_t size) { memmove(out, in, size); }
"""

# Not idempotent: executed twice on one input, it gives another output.
INCREMENT_KERNEL = """
#include <stdint.h>
void increment(int8_t *values, uint32_t size);
void increment(int8_t *values, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) { values[i] = (int8_t)(values[i] + 1); }
}
"""


def write_model(
    folder: Path,
    *,
    calls: Sequence[str],
    declarations: str,
    kernel: str,
    size: int = 16,
    output_offset: int = 0,
    arena_bytes: int | None = None,
    name: str = "small",
) -> Path:
    """Write model.h, model.c and kernel.c; one step per entry of `calls`. Returns the kernel's path."""
    model = folder / "model"
    model.mkdir(parents=True, exist_ok=True)
    arena = arena_bytes if arena_bytes is not None else size + output_offset
    header = _HEADER.format(name=name, input_bytes=size, output_bytes=size, arena_bytes=arena, steps=len(calls))
    timed = "\n".join(
        f"start = hal_ticks(); {call} ticks[{index}] = hal_ticks() - start;" for index, call in enumerate(calls)
    )
    source = _SOURCE.format(
        declarations=declarations, output_offset=output_offset, calls="\n".join(calls), timed_calls=timed
    )
    (model / "model.h").write_text(header, encoding="utf-8")
    (model / "model.c").write_text(source, encoding="utf-8")
    path = folder / "kernel.c"
    path.write_text(kernel, encoding="utf-8")
    return path


def build_copy(board: Board, folder: Path, *, size: int = 16) -> Firmware:
    """A model of one step that copies its input to its output."""
    kernel = write_model(
        folder,
        calls=[f"copy(model_arena, model_arena + {size}, {size});"],
        declarations="void copy(const int8_t *in, int8_t *out, uint32_t size);",
        kernel=COPY_KERNEL,
        size=size,
        output_offset=size,
    )
    return build_firmware(board, folder / "model", [kernel], ZigToolchain(), folder / "out")


def build_increment(board: Board, folder: Path, *, size: int = 16) -> Firmware:
    """A model of one step that adds one to every value, in place."""
    kernel = write_model(
        folder,
        calls=[f"increment(model_arena, {size});"],
        declarations="void increment(int8_t *values, uint32_t size);",
        kernel=INCREMENT_KERNEL,
        size=size,
    )
    return build_firmware(board, folder / "model", [kernel], ZigToolchain(), folder / "out")


def build_body(board: Board, folder: Path, body: str, *, prologue: str = "") -> Firmware:
    """A model of one step whose kernel `act(values)` has the given body."""
    kernel = write_model(
        folder,
        calls=["act(model_arena);"],
        declarations="void act(int8_t *values);",
        kernel=f"#include <stdint.h>\nvoid act(int8_t *values);\n{prologue}\nvoid act(int8_t *values) {{ {body} }}\n",
    )
    return build_firmware(board, folder / "model", [kernel], ZigToolchain(), folder / "out")


def churning(board: Board, kernel: str, rounds: int, folder: Path) -> tuple[VirtualBoard, Device]:
    """A virtual board whose model calls the `churn` of `kernel` twice, for `rounds` and for three; its input is set."""
    source = write_model(
        folder,
        calls=[f"churn(model_arena, {rounds}u);", "churn(model_arena, 3u);"],
        declarations="void churn(int8_t *values, uint32_t n);",
        kernel=kernel,
    )
    machine = VirtualBoard(board, build_firmware(board, folder / "model", [source], ZigToolchain(), folder / "out").elf)
    device = Device(machine)
    device.write_input(bytes(16))
    return machine, device
