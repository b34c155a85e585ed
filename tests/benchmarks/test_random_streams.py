"""The table of random networks that run row by row."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "random_streams.py"
    specification = importlib.util.spec_from_file_location("random_streams_benchmark", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_few_networks(benchmark: ModuleType, tmp_path: Path) -> None:
    checked = list(benchmark.check(0, [0, 1, 2, 3], "cortex-m4f", "zig", tmp_path))
    assert [result.name for _, result in checked] == [f"segments 0/{index}" for index in range(4)]
    assert all(result.passed for _, result in checked)
    header, line, *rows = benchmark.table(checked).splitlines()
    assert header.count("|") == line.count("|") == rows[0].count("|")
    cells = {row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]] for row in rows}
    networks = [int(cells[name][0]) for name in ("one segment", "several steps", "all")]
    assert networks[0] + networks[1] == networks[2] == 4
    assert cells["all"][3:] == ["16", *["0"] * 6]
    assert {name for name in cells if name.startswith("with")} == {
        f"with `{kernel}`" for network, _ in checked for kernel in benchmark.streamed_kernels(network)
    }
