"""Runs generated models in an executable with AddressSanitizer and UndefinedBehaviorSanitizer.

The zig wheel has no run-time library for AddressSanitizer: this takes the compiler of the machine, where there is one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from host_models import INCLUDE, WARNINGS, Plan, lowered

from tinynas.engine import generate
from tinynas.graph import Graph
from tinynas.kernels import InstructionSet, kernel_folder
from tinynas.lowering import Schedule, Step
from tinynas.memory import MemoryPlan
from tinynas.testing.layers import guarded_arena

HARNESS = Path(__file__).with_name("sanitizer_harness.c")
_SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1")
# The leak check needs ptrace, which containers forbid; there is nothing to leak in a kernel.
_ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}


@cache
def sanitizing_compiler() -> str | None:
    """A compiler of this machine that links AddressSanitizer, or None."""
    for name in ("gcc", "clang", "cc"):
        compiler = shutil.which(name)
        if compiler is not None:
            command = [compiler, *_SANITIZERS, "-xc", "-", "-o", "/dev/null"]
            program = "#include <sanitizer/asan_interface.h>\nint main(void) { return 0; }\n"
            if subprocess.run(command, input=program, text=True, capture_output=True, check=False).returncode == 0:
                return compiler
    return None


class SanitizedModels:
    """Several models in one executable; `folder` receives it and its sources."""

    def __init__(
        self,
        graphs: Sequence[Graph],
        folder: Path,
        plans: Sequence[Plan] = (),
        kernels: Path | None = None,
        instruction_sets: Sequence[InstructionSet] = (),
        choose: Callable[[Schedule], Schedule] = lambda schedule: schedule,
    ) -> None:
        compiler = sanitizing_compiler()
        assert compiler is not None
        self.schedules = [choose(schedule) for schedule in lowered(graphs, plans, instruction_sets)]
        self._executable = folder / "models"
        sources: set[Path] = set()
        tables = []
        for i, schedule in enumerate(self.schedules):
            plan = guarded_arena(schedule)
            generated = generate(schedule, plan, folder / f"m{i}")
            sources |= {path.relative_to(kernel_folder()) for path in generated.kernel_sources}
            unit = folder / f"m{i}.c"
            unit.write_text(_unit(i, [path.read_text() for path in sorted(generated.directory.iterdir())]))
            tables.append(_table(i, schedule, plan))
        rows = "".join(
            f"    {{m{i}_model_arena, {guarded_arena(s).arena_bytes}, {len(s.steps)}, m{i}_ranges, m{i}_inputs, "
            f"m{i}_outputs, m{i}_model_invoke_profiled}},\n"
            for i, s in enumerate(self.schedules)
        )
        (folder / "models.inc").write_text("".join(tables) + f"static const struct model models[] = {{\n{rows}}};\n")
        folder_of_kernels = kernels or kernel_folder()
        units = [folder / f"m{i}.c" for i in range(len(graphs))]
        files = [HARNESS, *units, *(folder_of_kernels / path for path in sorted(sources))]
        command = [compiler, *WARNINGS, *_SANITIZERS, "-O1", f"-I{INCLUDE}", f"-I{folder}", "-o", self._executable]
        result = subprocess.run([*map(str, command), *map(str, files)], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr

    def run(self, inputs: Sequence[Sequence[npt.NDArray[np.int8]]]) -> list[list[npt.NDArray[np.int8]]]:
        """One inference of each model. Raises `SanitizerError` with the report where something is wrong."""
        stdin = b"".join(values.tobytes() for model in inputs for values in model)
        environment = {**os.environ, **_ENVIRONMENT}
        result = subprocess.run([self._executable], input=stdin, capture_output=True, env=environment, check=False)
        if result.returncode != 0:
            raise SanitizerError(result.stderr.decode(errors="replace"))
        data, outputs = result.stdout, []
        for schedule in self.schedules:
            outputs.append([])
            for t in schedule.outputs:
                tensor = schedule.graph.tensors[t]
                outputs[-1].append(np.frombuffer(data[: tensor.size_bytes], np.int8).reshape(tensor.shape))
                data = data[tensor.size_bytes :]
        return outputs


class SanitizerError(AssertionError):
    """A sanitizer stopped the program; the message is its report."""


def _unit(index: int, texts: Iterable[str]) -> str:
    """Model `index` with and without profiling code in one file, its names prefixed."""
    names = sorted(set(re.findall(r"\bmodel_\w+\b(?!\.)", "".join(texts))))
    renames = "".join(f"#define {name} m{index}_{name}\n" for name in names)
    model = f'#include "m{index}/model.c"\n'
    return f'{renames}#include "m{index}/model_constants.c"\n{model}#undef STEP\n#define TN_PROFILE\n{model}'


def _table(index: int, schedule: Schedule, plan: MemoryPlan) -> str:
    """The byte ranges of model `index` in C: of each step, and of the network's inputs and outputs."""
    tensors = schedule.graph.tensors

    def interface(indices: Sequence[int]) -> list[tuple[int, int]]:
        return [(plan.offsets[schedule.buffer_of[t]], tensors[t].size_bytes) for t in indices]

    steps = [pair for step in schedule.steps for pair in (*_step_ranges(schedule, plan, step), (0, 0))]
    lists = {
        "ranges": [*steps, (0, 0)],
        "inputs": [*interface(schedule.inputs), (0, 0)],
        "outputs": [*interface(schedule.outputs), (0, 0)],
    }
    declarations = f"extern int8_t m{index}_model_arena[];\nvoid m{index}_model_invoke_profiled(uint32_t *ticks);\n"
    return declarations + "".join(
        f"static const struct bytes m{index}_{name}[] = {{{', '.join(f'{{{o}, {s}}}' for o, s in pairs)}}};\n"
        for name, pairs in lists.items()
    )


def _step_ranges(schedule: Schedule, plan: MemoryPlan, step: Step) -> list[tuple[int, int]]:
    """(offset, size) of what a step may touch: its inputs, its output, also where that grows, its scratch."""
    tensors = schedule.graph.tensors

    def size(tensor: int, rows: tuple[int, int] | None) -> int:
        whole = tensors[tensor]
        return whole.size_bytes if rows is None else whole.size_bytes // whole.shape[1] * (rows[1] - rows[0])

    band = step.band
    moves = band.input_offsets if band is not None else (0,) * len(step.inputs)
    ranges = [
        (plan.offsets[buffer] + move, size(t, band.input_rows if band is not None else None))
        for t, buffer, move in zip(step.inputs, step.input_buffers, moves, strict=True)
    ]
    ranges.append(
        (
            plan.offsets[step.output_buffer] + (band.output_offset if band is not None else 0),
            size(step.output, band.rows if band is not None else None),
        )
    )
    if step.scratch_bytes:
        ranges.append((plan.scratch_offsets[step.index], step.scratch_bytes))
    if step.stream is not None:
        ranges.append((plan.streamed_offsets[step.index], size(step.output, None)))
    return ranges
