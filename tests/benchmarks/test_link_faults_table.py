"""The table of lines that fail."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "link_faults.py"
    specification = importlib.util.spec_from_file_location("link_faults_benchmark", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # where its dataclass looks for its annotations
    specification.loader.exec_module(module)
    return module


def test_a_few_frames_over_every_line(benchmark: ModuleType, tmp_path: Path) -> None:
    board, pairs = benchmark.build(tmp_path)
    results = [benchmark.check(name, rates, board, pairs, 200, 0) for name, rates in benchmark.LINES.items()]
    assert all(result.passed for result in results)
    assert results[0].faults == results[0].errors == 0
    assert all(result.faults > 0 for result in results[1:])
    assert all(result.right > 0 for result in results)
    *_, total = benchmark.table(results).splitlines()
    assert total.split("|")[6:8] == [" 0 ", " 0 "]


def test_a_wrong_output_is_counted(benchmark: ModuleType, tmp_path: Path) -> None:
    board, pairs = benchmark.build(tmp_path)
    swapped = [(data, bytes(len(output))) for data, output in pairs]
    result = benchmark.check("swapped", benchmark.FaultRates(), board, swapped, 20, 0)
    assert result.wrong > 0
    assert not result.passed
