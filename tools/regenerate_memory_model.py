"""Fit the memory model of our engine for one board, and write it to memory_models/.

Builds probe networks with the real toolchain, reads the sections and stack frames of every object file, finds what a
step adds to the generated code, and checks the result on networks that the fit has not seen: SRAM and flash against the
linker, and with --virtual the stack against what the virtual board painted over.

    tools/regenerate_memory_model.py --board nucleo-f303k8 --virtual [--toolchain gcc]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firmware_probe import LinkedSection, Probe, RecordingToolchain, build_probe
from kernel_probes import probes_with
from object_sections import resolve

import tinynas
from tinynas.boards import load_toolchain
from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.kernels import CATALOGUE, InstructionSet
from tinynas.kernels.streaming import STREAM_ROWS
from tinynas.latency import NetworkLimits, diverse_networks, random_streams, with_random_constants
from tinynas.lowering import Lowering, PatchError, PatchPlan, Schedule, StreamError
from tinynas.memory import (
    MOST_STEPS,
    STREAMED_KERNELS,
    GeneratedFunction,
    InputSection,
    KernelMemory,
    NativeMemoryModel,
    RuntimeMemory,
    firmware_hash,
    kernel_hashes,
    kernel_memory_path,
    load_kernel_memory,
    runtime_hashes,
    runtime_memory_path,
    save_memory,
)
from tinynas.targets import Board, load_board, resource_path

# In link order (tinynas/engine/templates/model.c.j2), behind the functions that call one kernel each.
GENERATED = ("model_input", "model_output", "model_invoke", "model_lap", "model_invoke_profiled")
PUSHED = (
    *("model_output", "model_restart", "model_row", "model_finish", "model_push_row"),
    *("model_lap", "model_invoke_profiled"),
)
NAMES = {*GENERATED, *PUSHED}
CALL = "model_call_"
INTERFACE = (".model_inputs", ".model_outputs")  # the addresses that model_input and model_output return
PATCHED_EVERY = 3
STREAMED_EVERY = 4
STREAMS = ".text.tn_stream_advance"  # calls kernels through pointers in a table of the constants
PATCHES = (4, 2, 16, 8)
MOST_LAYERS = 8
STACK_ROOT = "startup.c:.text.tn_reset_handler"
ENTRY = "startup.c:.vectors"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, check, write. Returns 1 where a check fails: then nothing is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", required=True)
    parser.add_argument("--toolchain", default="zig")
    parser.add_argument("--virtual", action="store_true", help="check the stack on the virtual board")
    parser.add_argument("--fit", type=int, default=42, help="probe networks to fit")
    parser.add_argument("--check", type=int, default=12, help="probe networks to check with")
    parser.add_argument("--out", type=Path, help="folder (default: the models that ship)")
    options = parser.parse_args(arguments)
    board = load_board(options.board)
    toolchain = RecordingToolchain(load_toolchain(options.toolchain))
    # A real board shares the kernels' model with the reference board of its core, which has room for any arena.
    fits_kernels = board.is_virtual
    sources = firmware_hash()
    with tempfile.TemporaryDirectory() as folder:
        fitted = [
            build_probe(board, schedule, toolchain, Path(folder), run=False)
            for schedule in (
                *probe_schedules(board, options.fit if fits_kernels else 1, seed=1, macs=10**9),
                *([most_steps(Lowering.for_core(board.core))] if fits_kernels else []),
            )
        ]
        random_probes = len(fitted)
        needed = {v.name for v in CATALOGUE.values() if InstructionSet.of(board.core) in v.instruction_sets}
        absent = needed - {variant for probe in fitted for variant in probe.schedule.variants}
        for kernel in sorted(absent) if fits_kernels else ():
            schedule, *_ = probes_with(kernel, Lowering.for_core(board.core))
            fitted.append(build_probe(board, schedule, toolchain, Path(folder), run=False))
        unseen = [
            build_probe(board, schedule, toolchain, Path(folder), run=options.virtual)
            for schedule in probe_schedules(board, options.check, seed=11, macs=300_000)
        ]
    if firmware_hash() != sources:
        print("the firmware's sources changed while the probes were built: run again", file=sys.stderr)
        return 1
    provenance = {
        "board": board.name,
        "compiler": toolchain.version(),
        "tinynas": tinynas.__version__,
        "probes": random_probes,
    }
    runtime_provenance = provenance | {"sources": runtime_hashes(board.hal or "")}
    runtime = fit_runtime(board, options.toolchain, fitted[0], runtime_provenance)
    if fits_kernels:
        kernels = fit_kernels(board, options.toolchain, fitted, provenance | {"sources": kernel_hashes(needed)})
    else:
        path = kernel_memory_path(board.core.name, options.toolchain, options.out)
        kernels = load_kernel_memory(path, board.name)
    residuals = check(NativeMemoryModel(board, runtime, kernels), unseen)
    for line in residuals.lines():
        print(line)
    if not residuals.acceptable():
        print("the checks fail: nothing is written", file=sys.stderr)
        return 1
    runtime.provenance["check"] = residuals.as_json()
    folder_out = options.out or resource_path("memory_models")
    folder_out.mkdir(parents=True, exist_ok=True)
    path = runtime_memory_path(board.hal or "", board.core.name, options.toolchain, folder_out)
    save_memory(runtime, path)
    print(f"wrote {path}")
    if fits_kernels:
        kernels.provenance["check"] = residuals.as_json()
        path = kernel_memory_path(board.core.name, options.toolchain, folder_out)
        save_memory(kernels, path)
        print(f"wrote {path}")
    return 0


def probe_schedules(board: Board, count: int, seed: int, macs: int) -> list[Schedule]:
    """Schedules with every variant, in arenas of the sizes that this board has room for.

    Every third has a twin whose first layers run in patches: many calls of one kernel at addresses that differ little
    must take the same code each. Others have one that runs row by row, or one whose input comes by rows.
    """
    lowering = Lowering.for_core(board.core)
    room = board.arena_region.size_bytes
    sizes = [size for size in (1_500, 12_000, 60_000) if size * 5 <= room] or [room // 5]
    schedules = [
        schedule
        for index, size in enumerate(sizes)
        for schedule in diverse_networks(
            -(-count // len(sizes)),
            lowering=lowering,
            limits=NetworkLimits(activation_bytes=size, weight_bytes=3000, layers=12, macs=macs),
            seed=seed + index,
        )
    ]
    streamed = [
        _row_by_row(lowering, schedule.graph, seed, pushed=pushed)
        for first, pushed in ((1, False), (2, True))
        for schedule in schedules[first::STREAMED_EVERY]
    ]
    for index, schedule in enumerate(schedules[::PATCHED_EVERY]):
        patched = (
            _in_patches(lowering, schedule.graph, layers, PATCHES[index % len(PATCHES)])
            for layers in range(MOST_LAYERS, 0, -1)
        )
        schedules += [found for found in patched if found is not None][:1]
    return [*schedules, *(found for found in streamed if found is not None)]


def most_steps(lowering: Lowering) -> Schedule:
    """As many steps as there may be: literals lie too far from the first calls, and compilers place some between."""
    builder = GraphBuilder("most steps", DType.INT8)
    x = builder.input((1, 2, 2, 4))
    for index in range(MOST_STEPS):
        x = builder.add(x, x, name=f"add{index}")
    return lowering(with_random_constants(builder.build([x]), seed=0))


def _in_patches(lowering: Lowering, graph: Graph, layers: int, patches: int) -> Schedule | None:
    try:
        schedule = lowering(graph, PatchPlan(layers, patches))
    except PatchError:
        return None
    return schedule if len(schedule.steps) <= MOST_STEPS else None


def _row_by_row(lowering: Lowering, graph: Graph, seed: int, *, pushed: bool) -> Schedule | None:
    streams = random_streams(lowering(graph), seed, pushed=pushed)
    try:
        return lowering(graph, streams=streams) if streams else None
    except StreamError:
        return None


def fit_runtime(board: Board, toolchain: str, probe: Probe, provenance: dict[str, Any]) -> RuntimeMemory:
    """The memory of runtime and HAL: it depends on no network."""
    linked = probe.sections
    data = linked.get(".data", LinkedSection(0, 4))
    return RuntimeMemory(
        hal=board.hal or "",
        core=board.core.name,
        toolchain=toolchain,
        sections=tuple(resolve(probe.runtime_objects, NAMES)),
        entry=ENTRY,
        stack_root=STACK_ROOT,
        data_bytes=data.size_bytes,
        data_alignment=data.alignment,
        bss_bytes=linked[".bss"].size_bytes,
        bss_alignment=linked[".bss"].alignment,
        buffers_bytes=linked[".buffers"].size_bytes,
        buffers_alignment=linked[".buffers"].alignment,
        provenance=provenance,
    )


def fit_kernels(board: Board, toolchain: str, probes: Sequence[Probe], provenance: dict[str, Any]) -> KernelMemory:
    """The memory of the kernels and of the functions that call them from the objects of all probes."""
    runtime = probes[0].runtime_objects
    kernels = {o.source: o for probe in probes for o in probe.kernel_objects}
    ordered = [*runtime, *(kernels[name] for name in sorted(kernels))]
    symbols = {symbol: section for o in ordered for symbol, section in o.defines.items()}
    calls = call_functions(probes, symbols)
    interface = {
        section.name.rsplit(".", 1)[-1]: replace(section, requires=())  # the arena is no section of flash
        for section in probes[0].generated_constants
        if section.name.endswith(INTERFACE)
    }
    named = symbols | {name: section.name for name, section in interface.items()}
    return KernelMemory(
        core=board.core.name,
        toolchain=toolchain,
        # Link order: the generated model follows the kernels, and begins with these functions.
        sections=(
            *(_with_streamed(s) for s in resolve(ordered, NAMES) if s.name.split(":")[0] in kernels),
            *calls.values(),
            *interface.values(),
        ),
        # The kernel that takes rows is called by its name.
        entry_of={variant: section.name for variant, section in calls.items()}
        | {STREAM_ROWS.name: symbols[STREAM_ROWS.symbol]},
        generated=fit_functions(GENERATED, [p for p in probes if not p.schedule.input_by_rows], named),
        pushed=fit_functions(PUSHED, [p for p in probes if p.schedule.input_by_rows], named),
        arena_alignment=probes[0].sections[".arena"].alignment,
        provenance=provenance,
    )


def _with_streamed(section: InputSection) -> InputSection:
    """What calls kernels through a table refers to all of them."""
    if not section.name.endswith(STREAMS):
        return section
    return replace(section, requires=(*section.requires, STREAMED_KERNELS))


def call_functions(probes: Sequence[Probe], symbols: dict[str, str]) -> dict[str, InputSection]:
    """Variant -> the generated function that calls its kernel, the same in every network."""
    found: dict[str, InputSection] = {}
    for probe in probes:
        for name, section in probe.generated.items():
            if not name.startswith(CALL):
                continue
            requires = tuple(symbols[r] for r in section.requires if r in symbols)
            resolved = replace(section, requires=requires)
            if found.setdefault(name.removeprefix(CALL), resolved) != resolved:
                raise ValueError(f"{name} is not the same in all networks")
    return dict(sorted(found.items()))


def fit_functions(
    names: Sequence[str], probes: Sequence[Probe], symbols: dict[str, str]
) -> tuple[GeneratedFunction, ...]:
    """Generated functions of some networks, all of one kind."""
    return tuple(fit_function(name, probes, symbols) for name in names)


def fit_function(name: str, probes: Sequence[Probe], symbols: dict[str, str]) -> GeneratedFunction:
    """A generated function: what it takes without steps, and with each."""
    functions = [probe.generated[name] for probe in probes]
    steps = [len(probe.schedule.steps) for probe in probes]
    (fewest, smallest), (most, largest) = (
        extreme(zip(steps, (f.size_bytes for f in functions), strict=True)) for extreme in (min, max)
    )
    step_bytes = round((largest - smallest) / max(1, most - fewest))
    base_bytes = smallest - step_bytes * fewest
    errors = [base_bytes + step_bytes * n - f.size_bytes for n, f in zip(steps, functions, strict=True)]
    # References within model.c are to sections, each named after its function.
    named = {r.rsplit(".", 1)[-1] if r.startswith("model.c:") else r for f in functions for r in f.requires}
    required = {symbols.get(r, r) for r in named}
    return GeneratedFunction(
        name=name,
        base_bytes=base_bytes,
        step_bytes=step_bytes,
        error_bytes=max(map(abs, errors)),
        alignment=max(f.alignment for f in functions),
        frame_bytes=max(f.frame_bytes for f in functions),
        requires=tuple(sorted(required & {*symbols.values(), *NAMES})),
        calls_kernels=any(r.startswith(CALL) for r in required),
    )


@dataclass(frozen=True)
class Residuals:
    """Predicted less actual on networks that were not fitted, in bytes; flash as a fraction as well.

    `flash_margin` is the room that the model's verdict leaves.
    """

    sram: list[int]
    flash: list[int]
    flash_fraction: list[float]
    stack: list[int]
    flash_margin: int

    def acceptable(self) -> bool:
        """SRAM exact, flash within 0.5 % and the margin, stack never too low and at most 128 bytes too high."""
        return (
            not any(self.sram)
            and max(map(abs, self.flash_fraction)) <= 0.005
            and min(self.flash) >= -self.flash_margin
            and all(0 <= s <= 128 for s in self.stack)
        )

    def as_json(self) -> dict[str, object]:
        return {
            "networks": len(self.sram),
            "sram_error_bytes": self.sram,
            "flash_error_bytes": self.flash,
            "stack_excess_bytes": self.stack,
        }

    def lines(self) -> list[str]:
        worst = max(map(abs, self.flash_fraction))
        stack = f"stack {min(self.stack)} to {max(self.stack)} bytes over" if self.stack else "stack not measured"
        return [
            f"{len(self.sram)} networks not fitted, in patches and not: SRAM off by at most "
            f"{max(map(abs, self.sram))} bytes, flash by at most {max(map(abs, self.flash))} bytes "
            f"({100 * worst:.2f} %), {stack}"
        ]


def check(model: NativeMemoryModel, probes: Sequence[Probe]) -> Residuals:
    """Compare predictions with the linker, and with the device where it ran."""
    sram, flash, fractions, stack = [], [], [], []
    for probe in probes:
        predicted = model.sram(probe.schedule)
        sram.append(predicted.static_bytes - probe.firmware.static_sram_bytes)
        for region in predicted.regions:
            difference = region.used_bytes - probe.firmware.region_usage[region.name]
            if difference:
                sram[-1] = difference
        flash.append(model.flash(probe.schedule).total_bytes - probe.firmware.flash_bytes)
        fractions.append(flash[-1] / probe.firmware.flash_bytes)
        if probe.stack_used_bytes is not None:
            stack.append(predicted.stack_bytes - probe.stack_used_bytes)
    return Residuals(sram, flash, fractions, stack, model.flash_margin_bytes)


if __name__ == "__main__":
    sys.exit(main())
