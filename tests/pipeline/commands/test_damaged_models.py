"""Damaged model files through everything that reads them: `benchmarks/fuzz_tflite.py` in small."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import DType, GraphBuilder, OpKind
from tinynas.latency import with_random_constants
from tinynas.pipeline import export_model, inspect_model, measure_model
from tinynas.testing import FileDamager, random_int8_graph

_FUZZER = Path(__file__).resolve().parents[3] / "benchmarks" / "fuzz_tflite.py"


def _fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(_FUZZER), "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_damaged_file_ends_in_a_result_or_a_line() -> None:
    result = _fuzz("--inputs", "30", "--jobs", "1")
    assert result.returncode == 0, result.stderr
    tallies = list(json.loads(result.stdout).values())
    assert len(tallies) == 4
    for tally in tallies:
        assert tally["findings"] == {}
        assert tally["done"] == [[0, 30]]
        assert sum(tally["outcomes"].values()) == 30
        assert tally["peak_bytes"] < 1 << 30
    for outcome in ("refused", "used in every way"):
        assert sum(tally["outcomes"].get(outcome, 0) for tally in tallies) > 10


def _model(path: Path) -> Path:
    kinds = {OpKind.CONV_2D, OpKind.ADD}
    write_tflite(random_int8_graph(np.random.default_rng(1), operators=3, kinds=kinds), path)
    return path


def _state(folder: Path) -> dict[str, Any]:
    (path,) = folder.iterdir()
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_a_run_that_was_killed_is_continued(tmp_path: Path) -> None:
    """Killed at any moment, a run leaves a state that says which inputs are done; those are not used again."""
    model, state = _model(tmp_path / "small.tflite"), tmp_path / "state"
    arguments = [str(model), "--jobs", "1", "--state", str(state)]
    with subprocess.Popen(
        [sys.executable, str(_FUZZER), *arguments, "--inputs", "100000"], stderr=subprocess.DEVNULL
    ) as run:
        while not list(state.glob("*.json")) and run.poll() is None:
            time.sleep(0.1)
        run.kill()
    ((first, end),) = _state(state)["done"]
    assert first == 0 < end
    assert _fuzz(*arguments, "--inputs", str(end + 1)).returncode == 0
    after = _state(state)
    assert after["done"] == [[0, end + 1]]
    assert sum(after["outcomes"].values()) == end + 1


def test_what_other_sources_left_is_not_continued(tmp_path: Path) -> None:
    model, state = _model(tmp_path / "small.tflite"), tmp_path / "state"
    assert _fuzz(str(model), "--inputs", "2", "--jobs", "1", "--state", str(state)).returncode == 0
    (path,) = state.iterdir()
    path.write_text(json.dumps({**_state(state), "sources": "others", "findings": {"an old one": [1]}}))
    assert _fuzz(str(model), "--inputs", "3", "--jobs", "1", "--state", str(state)).returncode == 0
    assert _state(state)["done"] == [[0, 3]]
    assert _state(state)["findings"] == {}


@pytest.mark.parametrize(
    ("broken", "finding"),
    [
        ("raise KeyError(3)", "KeyError"),
        ("while True: pass", "more than"),
        ("bytearray(1 << 31)", "MemoryError"),
        ("import os; os._exit(7)", "exit code 7"),
        ("raise fuzz_tflite.TinyNASError('two' + chr(10) + 'lines of text')", "characters"),
        ("import warnings; warnings.warn('odd', stacklevel=1)", "UserWarning"),
    ],
)
def test_what_the_fuzzer_is_for_is_found(broken: str, finding: str, tmp_path: Path) -> None:
    """Each kind of failure, planted where inputs are used."""
    (tmp_path / "fuzz_broken.py").write_text(
        f"import sys\nsys.path.insert(0, {str(_FUZZER.parent)!r})\nimport fuzz_tflite\n"
        f"def use(path, folder, number):\n    {broken}\n    return 1, []\n"
        "fuzz_tflite.use, fuzz_tflite.SECONDS = use, 1.0\n"
        "if __name__ == '__main__':\n    sys.exit(fuzz_tflite.main())\n"
    )
    command = [sys.executable, str(tmp_path / "fuzz_broken.py"), "--inputs", "1", "--jobs", "1"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stderr
    assert finding in result.stderr


def test_a_result_that_nobody_reads_is_work_for_tflm_alone(tmp_path: Path) -> None:
    """Our engine leaves dead operators out, with their MACs and weights; TFLM executes what the file has."""
    b = GraphBuilder("cut", DType.INT8)
    x = b.input((1, 8, 8, 4))
    alive = b.conv_2d(x, 4, 3, name="alive")
    b.add(b.conv_2d(alive, 4, 1, name="dead"), alive, name="sum")
    path = tmp_path / "cut.tflite"
    write_tflite(with_random_constants(b.build([b.mean(alive, name="mean")]), seed=0), path)
    native, tflm = (inspect_model(path, "virt-m4", engine=engine) for engine in ("native", "tflm"))
    assert [op["name"] for op in native["ops"]] == ["alive", "mean"]
    assert (native["macs"], native["params"]) == (8 * 8 * 4 * 36, 4 * 36 + 4)
    assert [op["name"] for op in tflm["ops"]] == ["alive", "dead", "sum", "mean"]
    assert (tflm["macs"], tflm["params"]) == (8 * 8 * 4 * (36 + 4), 4 * 36 + 4 + 4 * 4 + 4)
    measured = measure_model(path, "virt-m4", virtual=True)
    assert [layer["kind"] for layer in measured["layers"]] == ["CONV_2D", "MEAN"]
    assert measured["matches_reference"]
    export_model(path, tmp_path / "planned.tflite", plan_offline=True)
    assert [op.name for op in read_tflite(tmp_path / "planned.tflite").ops] == ["alive", "dead", "sum", "mean"]


def test_damage_is_a_function_of_the_number_and_of_all_kinds() -> None:
    content = write_tflite(random_int8_graph(np.random.default_rng(0), operators=6))
    damager = FileDamager(content)

    def damaged() -> list[bytes]:
        return [damager.damaged(np.random.default_rng(number)) for number in range(60)]

    files = damaged()
    assert files == damaged()
    assert len(set(files)) > 55
    assert write_tflite(random_int8_graph(np.random.default_rng(0), operators=6)) == content
