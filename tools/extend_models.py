"""Add the rows of new kernels to the models of one core and toolchain; all other rows stay as they are.

A kernel's bytes and instructions depend on nothing but itself, so a new one needs no new fit of those that are there.
Probe networks with the kernel are built and run on the core's virtual board. What they have of known kernels must be
what the models say: a compiler of another version is refused.

    tools/extend_models.py --board virt-m4 [--toolchain gcc] lookup_table
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from firmware_probe import Probe, RecordingToolchain, build_probe
from kernel_probes import probes_with
from object_sections import resolve
from regenerate_latency_model import Counted, measure
from regenerate_memory_model import NAMES, call_functions, check

from tinynas.boards import Toolchain, load_toolchain
from tinynas.kernels import CATALOGUE, InstructionSet
from tinynas.latency import (
    LatencyModel,
    Measurement,
    Unit,
    fit_latency,
    latency_model_path,
    load_latency_model,
    measurements_of,
    save_latency_model,
)
from tinynas.lowering import Lowering, Schedule
from tinynas.memory import (
    InputSection,
    KernelMemory,
    NativeMemoryModel,
    kernel_hashes,
    kernel_memory_path,
    load_kernel_memory,
    load_runtime_memory,
    runtime_memory_path,
    save_memory,
)
from tinynas.targets import Board, load_board

GENERATED_FILES = ("model.c:", "model_constants.c:")
"""What the names of sections of generated code begin with."""

LARGEST_ERROR = 0.01
"""Relative error of a layer in the network that was not fitted."""


class StaleModelError(Exception):
    """A model does not say of a known kernel what the probe has."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, check, write. Returns 1 where a check fails: then nothing is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="+", choices=sorted(CATALOGUE), metavar="KERNEL")
    parser.add_argument("--board", required=True)
    parser.add_argument("--toolchain", default="zig")
    options = parser.parse_args(arguments)
    board, toolchain = load_board(options.board), load_toolchain(options.toolchain)
    instruction_set = InstructionSet.of(board.core)
    names = [name for name in options.kernels if instruction_set in CATALOGUE[name].instruction_sets]
    if not names:
        print(f"{board.core.name} has none of these kernels: nothing to add")
        return 0
    memory_path = kernel_memory_path(board.core.name, options.toolchain)
    latency_path = latency_model_path(board.core.name, options.toolchain)
    memory, latency = load_kernel_memory(memory_path, board.name), load_latency_model(latency_path)
    schedules = {name: probes_with(name, Lowering.for_core(board.core)) for name in names}
    hashes = kernel_hashes(names)
    try:
        memory = _extended_memory(board, toolchain, memory, schedules, hashes)
        latency = _extended_latency(board, toolchain, latency, schedules, hashes)
    except StaleModelError as error:
        print(f"{error}: nothing is written", file=sys.stderr)
        return 1
    save_memory(memory, memory_path)
    save_latency_model(latency, latency_path)
    for name in names:
        row = latency.variants[name]
        ticks = ", ".join(f"{n}: {c:.3f}" for n, c in zip(row.features, row.coefficients, strict=True))
        print(f"{board.name}, {toolchain.version()}: {name} takes {ticks} {latency.unit}")
    return 0


def _extended_memory(
    board: Board,
    toolchain: Toolchain,
    memory: KernelMemory,
    schedules: dict[str, list[Schedule]],
    hashes: dict[str, str],
) -> KernelMemory:
    """The model with the sections of the new kernels, in link order."""
    _require_compiler(memory.provenance["compiler"], toolchain)
    recording = RecordingToolchain(toolchain)
    with tempfile.TemporaryDirectory() as folder:
        probes = [build_probe(board, found[0], recording, Path(folder), run=False) for found in schedules.values()]
    known = {section.name: section for section in memory.sections}
    added = {}
    for probe in probes:
        for section in _sections(probe):
            if section.name not in known:
                added[section.name] = section
            elif known[section.name].size_bytes != section.size_bytes:
                raise StaleModelError(
                    f"{section.name} has {section.size_bytes} bytes, the model says {known[section.name].size_bytes}"
                )
    calls = {variant: section for probe in probes for variant, section in _calls(probe).items() if variant in schedules}
    is_kernel = [name for name in (*known, *added) if not name.startswith(GENERATED_FILES)]
    order = sorted(is_kernel, key=lambda name: name.split(":")[0])
    sections = {**known, **added, **{section.name: section for section in calls.values()}}
    of_calls = [section.name for section in dict(sorted({**_known_calls(memory), **calls}.items())).values()]
    rest = [name for name in known if name not in is_kernel and name not in of_calls]
    streamed = {name: entry for name, entry in memory.entry_of.items() if entry in is_kernel}
    entries = {
        **{name: entry for name, entry in memory.entry_of.items() if name not in streamed},
        **{variant: section.name for variant, section in calls.items()},
    }
    extended = dataclasses.replace(
        memory,
        sections=tuple(sections[name] for name in (*order, *of_calls, *rest)),
        entry_of=dict(sorted(entries.items())) | streamed,
        provenance={**memory.provenance, "sources": _with(memory.provenance["sources"], hashes)},
    )
    runtime = load_runtime_memory(runtime_memory_path(board.hal or "", board.core.name, toolchain.name), board.name)
    residuals = check(NativeMemoryModel(board, runtime, extended), probes)
    if not residuals.acceptable():
        raise StaleModelError(f"the linker does not bear the model out ({residuals.lines()[0]})")
    return extended


def _known_calls(memory: KernelMemory) -> dict[str, InputSection]:
    by_name = {section.name: section for section in memory.sections}
    return {variant: by_name[entry] for variant, entry in memory.entry_of.items() if entry.startswith("model.c:")}


def _symbols(probe: Probe) -> dict[str, str]:
    objects = (*probe.runtime_objects, *probe.kernel_objects)
    return {symbol: section for o in objects for symbol, section in o.defines.items()}


def _calls(probe: Probe) -> dict[str, InputSection]:
    return call_functions([probe], _symbols(probe))


def _sections(probe: Probe) -> list[InputSection]:
    """Of the kernels of a probe, resolved as the model has them."""
    sources = {o.source for o in probe.kernel_objects}
    ordered = [*probe.runtime_objects, *sorted(probe.kernel_objects, key=lambda o: o.source)]
    return [section for section in resolve(ordered, NAMES) if section.name.split(":")[0] in sources]


def _extended_latency(
    board: Board,
    toolchain: Toolchain,
    model: LatencyModel,
    schedules: dict[str, list[Schedule]],
    hashes: dict[str, str],
) -> LatencyModel:
    """The model with the loops of the new kernels, in each of its quantities."""
    _require_compiler(model.provenance["compiler"], toolchain)
    counted = {
        name: [(schedule, measure(board, schedule, toolchain)) for schedule in found]
        for name, found in schedules.items()
    }
    extended = _with_loops(model, counted)
    if model.instructions is not None:
        extended = dataclasses.replace(extended, instructions=_with_loops(model.instructions, counted))
    sources = _with(model.provenance["sources"], hashes)
    return dataclasses.replace(extended, provenance={**model.provenance, "sources": sources})


def _with_loops(model: LatencyModel, counted: Mapping[str, Sequence[Counted]]) -> LatencyModel:
    variants = dict(model.variants)
    for name, networks in counted.items():
        *fitted, unseen = [_layers(name, model.unit, network) for network in networks]
        variants[name] = fit_latency([layer for layers in fitted for layer in layers]).variants[name]
        error = max(abs(variants[name].ticks(layer.features) / layer.value - 1) for layer in unseen)
        if error > LARGEST_ERROR:
            raise StaleModelError(f"{name}: a layer that was not fitted is off by {error:.1%} {model.unit}")
    return dataclasses.replace(model, variants=dict(sorted(variants.items())))


def _layers(kernel: str, unit: Unit, network: Counted) -> list[Measurement]:
    schedule, counts = network
    return [layer for layer in measurements_of(schedule, counts[unit]) if layer.variant == kernel]


def _with(sources: dict[str, str], hashes: dict[str, str]) -> dict[str, str]:
    """Hashes of the sources in the order of the models: kernels by name, then what is common to all."""
    for name in hashes.keys() & sources.keys():
        if name not in CATALOGUE and sources[name] != hashes[name]:
            raise StaleModelError(f"the model was fitted to another version of what is hashed as {name!r}")
    merged = {**sources, **hashes}
    kernels = sorted(name for name in merged if name in CATALOGUE)
    return {name: merged[name] for name in (*kernels, *(name for name in merged if name not in CATALOGUE))}


def _require_compiler(fitted: str, toolchain: Toolchain) -> None:
    if toolchain.version() != fitted:
        raise StaleModelError(f"the model was fitted with {fitted}, this is {toolchain.version()}")


if __name__ == "__main__":
    sys.exit(main())
