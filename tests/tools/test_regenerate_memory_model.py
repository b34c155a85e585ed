"""Memory models can be made anew: those that ship come out again, GCC's are exact on networks not in the fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tinynas.boards import Toolchain
from tinynas.kernels import CATALOGUE, InstructionSet
from tinynas.memory import changed_sources, kernel_hashes, runtime_hashes
from tinynas.targets import CORES, reference_boards, resource_path

_TOOL = Path(__file__).resolve().parents[2] / "tools" / "regenerate_memory_model.py"


def test_no_model_that_ships_is_stale() -> None:
    """Of memory or latency, of either toolchain: after a change of the firmware `make models` fits them again."""
    now = kernel_hashes()
    documents = {p.name: json.loads(p.read_text()) for p in sorted(resource_path("memory_models").glob("*.json"))}
    changed = {
        name: changed_sources(document["provenance"], runtime_hashes(document["hal"]) if "hal" in document else now)
        for name, document in documents.items()
    }
    assert {name: sources for name, sources in changed.items() if sources} == {}
    assert len(documents) > 20


@pytest.mark.parametrize("core", sorted(reference_boards()))
@pytest.mark.parametrize("kind", ["native", "latency"])
def test_models_that_ship_know_all_kernels(kind: str, core: str) -> None:
    document = json.loads((resource_path("memory_models") / f"{kind}-{core}-zig.json").read_text())
    kernels = {v.name for v in CATALOGUE.values() if InstructionSet.of(CORES[core]) in v.instruction_sets}
    assert document["provenance"]["sources"].keys() - {"generated code"} == kernels


@pytest.mark.parametrize("toolchain", ["gcc"], indirect=True)
@pytest.mark.parametrize("board", ["virt-m0plus", pytest.param("virt-m33", marks=pytest.mark.slow)])
def test_gcc_models_are_exact(board: str, toolchain: Toolchain, tmp_path: Path) -> None:
    words = ["--board", board, "--toolchain", toolchain.name, "--virtual", "--out", str(tmp_path)]
    command = [sys.executable, str(_TOOL), *words]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = tmp_path.glob("hal-*-gcc.json")
    check = json.loads(path.read_text())["provenance"]["check"]
    assert not any(check["sram_error_bytes"])
    assert all(0 <= excess <= 128 for excess in check["stack_excess_bytes"])
    assert len(check["stack_excess_bytes"]) >= 12


@pytest.mark.parametrize(
    "core", ["m4", *(pytest.param(core, marks=pytest.mark.slow) for core in ("m0plus", "m7", "m33"))]
)
def test_the_models_that_ship_come_out_again(core: str, tmp_path: Path) -> None:
    """So a change of kernels, compiler or tool cannot leave them stale."""
    command = [sys.executable, str(_TOOL), "--board", f"virt-{core}", "--virtual", "--out", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    made = sorted(tmp_path.glob("*.json"))
    assert len(made) == 2
    for path in made:
        shipped = resource_path("memory_models") / path.name
        assert json.loads(path.read_text()) == json.loads(shipped.read_text()), path.name
