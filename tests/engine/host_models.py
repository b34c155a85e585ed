"""Compiles generated models for this machine and runs them through ctypes, with undefined behaviour trapped."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinynas.engine import GeneratedModel, ModelInfo, generate
from tinynas.graph import Graph
from tinynas.kernels import InstructionSet
from tinynas.lowering import PatchPlan, Schedule, StreamPlan, lower
from tinynas.targets import resource_path
from tinynas.testing.layers import GUARD, guarded_arena, kernel_sources, write_units

Plan = PatchPlan | Sequence[PatchPlan | StreamPlan] | None
"""How a network is executed: its first layers in patches, parts of it row by row, or as a whole."""

INCLUDE = resource_path("firmware")
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wpedantic")


@dataclass(frozen=True)
class HostModel:
    """A model compiled for this machine."""

    library: ctypes.CDLL
    prefix: str
    schedule: Schedule
    generated: GeneratedModel

    def run(self, *inputs: npt.NDArray[np.int8]) -> list[npt.NDArray[np.int8]]:
        """One inference on dirty memory; fails if a byte outside the plan changed."""
        tensors = self.schedule.graph.tensors
        size = self.generated.arena_bytes
        arena = (ctypes.c_uint8 * size).in_dll(self.library, f"{self.prefix}model_arena")
        dirt = np.random.default_rng(1).integers(0, 256, size, np.uint8)
        ctypes.memmove(arena, dirt.tobytes(), size)
        if self.schedule.input_by_rows:
            (values,) = inputs
            self.restart()
            assert self.push(values[0]) == 0
        else:
            for i, (t, values) in enumerate(zip(self.schedule.inputs, inputs, strict=True)):
                assert values.dtype == np.int8
                assert values.size == tensors[t].size_bytes
                ctypes.memmove(self._address("input", i), values.tobytes(), values.size)
            getattr(self.library, f"{self.prefix}model_invoke")()
        after = np.frombuffer(bytes(arena), np.uint8)
        assert np.array_equal(after[:GUARD], dirt[:GUARD]), "a kernel wrote below the arena"
        assert np.array_equal(after[-GUARD:], dirt[-GUARD:]), "a kernel wrote above the arena"
        return self.outputs()

    def push(self, rows: npt.NDArray[np.int8]) -> int:
        """Push rows one by one, each from memory of its own at an odd address; how many are missing then."""
        missing = -1
        for row in rows:
            own = ctypes.create_string_buffer(b"\0" + row.tobytes() + b"\0")
            missing = getattr(self.library, f"{self.prefix}model_push_row")(ctypes.byref(own, 1))
        return missing

    def restart(self) -> None:
        """The next row is the first of an image."""
        getattr(self.library, f"{self.prefix}model_restart")()

    def outputs(self) -> list[npt.NDArray[np.int8]]:
        """What the outputs hold."""
        tensors = self.schedule.graph.tensors
        return [
            np.frombuffer(ctypes.string_at(self._address("output", i), tensors[t].size_bytes), np.int8).reshape(
                tensors[t].shape
            )
            for i, t in enumerate(self.schedule.outputs)
        ]

    def _address(self, side: str, index: int) -> int:
        suffix = f"_{index}" if index else ""
        function = getattr(self.library, f"{self.prefix}model_{side}{suffix}")
        function.restype = ctypes.c_void_p
        address = function()
        assert isinstance(address, int)
        return address


def generate_guarded(
    graph: Graph, folder: Path, info: ModelInfo | None = None, patches: PatchPlan | None = None
) -> tuple[Schedule, GeneratedModel]:
    """Generate a model whose arena has guard bytes below and above everything that the plan uses."""
    schedule = lower(graph, patches)
    return schedule, generate(schedule, guarded_arena(schedule), folder, info)


def lowered(
    graphs: Sequence[Graph], plans: Sequence[Plan] = (), instruction_sets: Sequence[InstructionSet] = ()
) -> list[Schedule]:
    """Lower several graphs. `plans` and `instruction_sets` have one entry per graph, or none."""
    cores = instruction_sets or [InstructionSet.DSP] * len(graphs)
    schedules = []
    for graph, plan, core in zip(graphs, plans or [None] * len(graphs), cores, strict=True):
        parts = [plan] if isinstance(plan, PatchPlan) else plan or []
        patches = next((part for part in parts if isinstance(part, PatchPlan)), None)
        streams = [part for part in parts if isinstance(part, StreamPlan)]
        schedules.append(lower(graph, patches, streams=streams, instruction_set=core))
    return schedules


def generate_units(
    graphs: Sequence[Graph],
    directory: Path,
    plans: Sequence[Plan] = (),
    instruction_sets: Sequence[InstructionSet] = (),
    choose: Callable[[Schedule], Schedule] = lambda schedule: schedule,
) -> tuple[list[tuple[Schedule, GeneratedModel]], list[Path]]:
    """Generate several graphs for one image: model `i` has the prefix `m<i>_` before its external names.

    `plans` and `instruction_sets` have one entry per graph, or none; `choose` may substitute kernels.

    Returns:
        What was generated, and the C files to compile, kernels included.
    """
    schedules = [choose(schedule) for schedule in lowered(graphs, plans, instruction_sets)]
    models, units = write_units([(schedule, guarded_arena(schedule)) for schedule in schedules], directory)
    return list(zip(schedules, models, strict=True)), [*units, *kernel_sources(models)]


def build_models(
    graphs: Sequence[Graph],
    directory: Path,
    plans: Sequence[Plan] = (),
    instruction_sets: Sequence[InstructionSet] = (),
    choose: Callable[[Schedule], Schedule] = lambda schedule: schedule,
) -> list[HostModel]:
    """Generate and compile several graphs into one shared library: the portable forms of their kernels."""
    built, sources = generate_units(graphs, directory, plans, instruction_sets, choose)
    library = directory / "models.so"
    sanitizers = ("-fsanitize=undefined", "-fsanitize-trap=undefined")
    zig("-shared", "-fPIC", "-O1", *sanitizers, *WARNINGS, f"-I{INCLUDE}", "-o", library, *sources)
    loaded = ctypes.CDLL(str(library))
    return [HostModel(loaded, f"m{i}_", schedule, generated) for i, (schedule, generated) in enumerate(built)]


def zig(*arguments: str | Path) -> None:
    """Run `zig cc`; the compiler's complaint becomes the failure."""
    command = [sys.executable, "-m", "ziglang", "cc", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
