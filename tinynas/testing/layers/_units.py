"""Several generated models in one program: prefixes before external names, guard bytes around tensors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tinynas.engine import GeneratedModel, ModelInfo, generate
from tinynas.lowering import Schedule
from tinynas.memory import MemoryPlan, live_ranges, plan_arena

GUARD = 64
"""Bytes on either side of what is guarded."""

_WORD = 4
_MODEL_NAMES = re.compile(r"\b(?:model|ARENA|SCRATCH)_\w+\b(?!\.)")
_MACROS = re.compile(r"^\s*#define\s+(\w+)", re.MULTILINE)


def guarded_arena(schedule: Schedule) -> MemoryPlan:
    """The arena as it is planned, with guard bytes below and above all of it."""
    plan = plan_arena(schedule)
    return replace(
        plan,
        offsets={k: v + GUARD for k, v in plan.offsets.items()},
        scratch_offsets={k: v + GUARD for k, v in plan.scratch_offsets.items()},
        streamed_offsets={k: v + GUARD for k, v in plan.streamed_offsets.items()},
        begun_offset=None if plan.begun_offset is None else plan.begun_offset + GUARD,
        arena_bytes=plan.arena_bytes + 2 * GUARD,
    )


def guarded_buffers(schedule: Schedule, *, shrink_to_end: bool = False) -> MemoryPlan:
    """An arena in which nothing is a neighbour: guard bytes around every buffer and every scratch.

    Buffers share bytes only where a step shrinks its input: the output then lies at the beginning of the input, or at
    its end. The output of a streamed segment grows over its input, as far as it may, and then gets a buffer of its own.
    Offsets are multiples of a word and, by turns, not of two: a plan promises no more. It is no plan to compare with
    others: its lower bound is its own size.
    """
    end = 0
    offsets: dict[int, int] = {}
    scratch: dict[int, int] = {}

    def place(size_bytes: int) -> int:
        nonlocal end
        offset = end + GUARD
        offset += -offset % (2 * _WORD) + _WORD * (len(offsets) % 2)
        end = offset + size_bytes
        return offset

    ranges = live_ranges(schedule)
    within = {step.output_buffer: step.input_buffers[0] for step in schedule.steps if step.shrinks}
    before = {  # bytes of an output that lie before the input it grows over
        within.get(stream.input, stream.input): ranges.overlapping_bytes(step) - ranges.buffers[stream.input].size_bytes
        for step, stream in ranges.streamed.items()
    }
    for buffer in schedule.buffers:
        outer = within.get(buffer.index)
        if outer is None:
            end += before.get(buffer.index, 0)
            offsets[buffer.index] = place(ranges.buffers[buffer.index].size_bytes)
        else:
            spare = ranges.buffers[outer].size_bytes - ranges.buffers[buffer.index].size_bytes
            offsets[buffer.index] = offsets[outer] + (spare if shrink_to_end else 0)
    for step in schedule.steps:
        if step.scratch_bytes:
            scratch[step.index] = place(step.scratch_bytes)
    streamed = {
        step: offsets[stream.input] + ranges.buffers[stream.input].size_bytes - ranges.overlapping_bytes(step)
        for step, stream in ranges.streamed.items()
    }
    arena = end + GUARD + -(end + GUARD) % _WORD
    return MemoryPlan(offsets, scratch, arena, end, streamed)


def write_units(
    planned: Sequence[tuple[Schedule, MemoryPlan]], directory: Path, info: ModelInfo | None = None
) -> tuple[list[GeneratedModel], list[Path]]:
    """Generate models for one program, a C file each: model `i` has the prefix `m<i>_` before its external names.

    Returns:
        What was generated, and the C files of the models. Their kernels come on top.
    """
    models = [generate(schedule, plan, directory / f"m{i}", info) for i, (schedule, plan) in enumerate(planned)]
    units = []
    for i, model in enumerate(models):
        unit = directory / f"m{i}.c"
        unit.write_text(_renamed(model, f"m{i}"), encoding="utf-8")
        units.append(unit)
    return models, units


def write_one_unit(
    planned: Sequence[tuple[Schedule, MemoryPlan]], directory: Path, info: ModelInfo | None = None
) -> tuple[list[GeneratedModel], Path]:
    """As `write_units`, all models in one C file: a compiler takes longer to start than to compile them."""
    models = [generate(schedule, plan, directory / f"m{i}", info) for i, (schedule, plan) in enumerate(planned)]
    parts = ['#include "kernels/kernel.h"\n']
    for i, model in enumerate(models):
        text = _text(model)
        forget = {*_MACROS.findall(text), *_MODEL_NAMES.findall(text)}
        parts.append(_renamed(model, f"m{i}") + "".join(f"#undef {name}\n" for name in sorted(forget)))
    unit = directory / "models.c"
    unit.write_text("\n".join(parts), encoding="utf-8")
    return models, unit


def external_names(model: GeneratedModel) -> list[str]:
    """The names that get a prefix, sorted: functions, constants, offsets."""
    return sorted(set(_MODEL_NAMES.findall(_text(model))))


def kernel_sources(models: Sequence[GeneratedModel]) -> list[Path]:
    """The kernels of all models, sorted by name."""
    return sorted({path for model in models for path in model.kernel_sources}, key=lambda path: path.name)


def _text(model: GeneratedModel) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(model.directory.glob("model*")))


def _renamed(model: GeneratedModel, prefix: str) -> str:
    renames = "".join(f"#define {name} {prefix}_{name}\n" for name in external_names(model))
    return f'{renames}#include "{prefix}/model_constants.c"\n#include "{prefix}/model.c"\n'
