"""The tool adds the rows of a kernel and nothing else, and refuses models that do not say what it finds."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import extend_models as tool

from tinynas.boards import load_toolchain
from tinynas.kernels import CATALOGUE
from tinynas.latency import LatencyModel, latency_model_path, load_latency_model
from tinynas.lowering import Lowering
from tinynas.memory import KernelMemory, kernel_hashes, kernel_memory_path, load_kernel_memory
from tinynas.targets import load_board

KERNEL = "lookup_table"
BOARD = load_board("virt-m4")


def _shipped() -> KernelMemory:
    return load_kernel_memory(kernel_memory_path(BOARD.core.name, "zig"), BOARD.name)


def _without(memory: KernelMemory) -> KernelMemory:
    sources = {name: code for name, code in memory.provenance["sources"].items() if name != KERNEL}
    return dataclasses.replace(
        memory,
        sections=tuple(s for s in memory.sections if KERNEL not in s.name),
        entry_of={name: entry for name, entry in memory.entry_of.items() if name != KERNEL},
        provenance={**memory.provenance, "sources": sources},
    )


def test_the_rows_that_ship_come_back() -> None:
    shipped, schedules = _shipped(), {KERNEL: tool.probes_with(KERNEL, Lowering.for_core(BOARD.core))}
    arguments = BOARD, load_toolchain("zig"), _without(shipped), schedules, kernel_hashes([KERNEL])
    assert tool._extended_memory(*arguments) == shipped


def test_cycles_and_instructions_come_back() -> None:
    shipped = load_latency_model(latency_model_path(BOARD.core.name, "zig"))
    assert shipped.instructions is not None
    bare = _without_loops(shipped, instructions=_without_loops(shipped.instructions))
    schedules = {KERNEL: tool.probes_with(KERNEL, Lowering.for_core(BOARD.core))}
    again = tool._extended_latency(BOARD, load_toolchain("zig"), bare, schedules, kernel_hashes([KERNEL]))
    assert (again.unit, again.basis) == (shipped.unit, shipped.basis)
    for model, known in ((again, shipped), (again.instructions, shipped.instructions)):
        assert list(model.variants) == list(known.variants)
        row, same = model.variants[KERNEL], known.variants[KERNEL]
        assert dict(zip(row.features, row.coefficients, strict=True)) == pytest.approx(
            dict(zip(same.features, same.coefficients, strict=True)), abs=0.5
        )
    assert again.variants[KERNEL].ticks({"elements": 100.0}) > again.instructions.variants[KERNEL].ticks(
        {"elements": 100.0}
    )


def _without_loops(model: LatencyModel, **changes: LatencyModel) -> LatencyModel:
    variants = {name: variant for name, variant in model.variants.items() if name != KERNEL}
    return dataclasses.replace(model, variants=variants, **changes)


def test_a_kernel_of_another_size_is_refused() -> None:
    memory = _without(_shipped())
    sections = tuple(
        dataclasses.replace(s, size_bytes=s.size_bytes + 4) if "tn_resize" in s.name else s for s in memory.sections
    )
    schedules = {KERNEL: tool.probes_with(KERNEL, Lowering.for_core(BOARD.core))}
    with pytest.raises(tool.StaleModelError, match=r"tn_resize_nearest_neighbor has \d+ bytes, the model says \d+"):
        tool._extended_memory(
            BOARD, load_toolchain("zig"), dataclasses.replace(memory, sections=sections), schedules, {}
        )


def test_another_compiler_is_refused() -> None:
    model = load_latency_model(latency_model_path(BOARD.core.name, "zig"))
    other = dataclasses.replace(model, provenance={**model.provenance, "compiler": "zig 0.1.0"})
    with pytest.raises(tool.StaleModelError, match=r"fitted with zig 0\.1\.0, this is zig"):
        tool._extended_latency(BOARD, load_toolchain("zig"), other, {}, {})


def test_other_generated_code_is_refused() -> None:
    sources = {"add": "a", "generated code": "b"}
    assert list(tool._with(sources, {KERNEL: "c", "generated code": "b"})) == ["add", KERNEL, "generated code"]
    with pytest.raises(tool.StaleModelError, match="another version of what is hashed as 'generated code'"):
        tool._with(sources, {KERNEL: "c", "generated code": "d"})


def test_a_core_without_the_kernel_has_nothing_to_add(capsys: pytest.CaptureFixture[str]) -> None:
    kernel = next(name for name, variant in CATALOGUE.items() if variant.instruction_sets == {"armv6-m"})
    assert tool.main(["--board", "virt-m4", kernel]) == 0
    assert "nothing to add" in capsys.readouterr().out
