"""Run directories of other versions: what can be read is read, all else ends in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tinynas.cli import main
from tinynas.formats import write_tflite
from tinynas.graph import DType, GraphBuilder
from tinynas.latency import with_random_constants
from tinynas.pipeline import export_winner, write_report
from tinynas.pipeline._winner import RESULT_FORMAT, ResultFormatError, read_result


def _result() -> dict[str, Any]:
    """As the first version wrote it: without a format number, and without patches."""
    winner = {
        "label": "winner",
        "genotype": [0],
        "shared_accuracy": 0.5,
        "int8_accuracy": 0.5,
        "float_accuracy": 0.5,
        "macs": 1,
        "params": 1,
        "sram_bytes": 1,
        "flash_bytes": 1,
        "latency": 1,
        "regions": [],
        "latency_unit": "instructions",
        "latency_ms": None,
        "latency_basis": "counted",
        "images_compared": 1,
        "sram_high_water_bytes": 1,
        "arena_available_bytes": 4096,
        "blocks": [],
    }
    info = {"name": "winner", "labels": [], "scale": 1.0, "mean": [0.0], "std": [1.0]}
    return {
        "test_images": 1,
        "transport": "virtual",
        "unit": "instructions",
        "winner": winner,
        "model_info": info,
        "baselines": [],
    }


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    builder = GraphBuilder("small", DType.INT8)
    x = builder.conv_2d(builder.input((1, 6, 6, 2)), 3, 3, name="stem")
    write_tflite(with_random_constants(builder.build([x]), seed=1), tmp_path / "winner.tflite")
    config = {"data": {"dataset": "tiny.npz"}, "seed": 0}
    board = {"name": "virt-m4", "description": "a board", "mcu": "none"}
    started = {"kind": "started", "identity": {"config": config, "board": board}}
    (tmp_path / "journal.jsonl").write_text(json.dumps(started) + "\n")
    _write(tmp_path, _result())
    return tmp_path


def _write(run_directory: Path, result: Any) -> None:
    (run_directory / "result.json").write_text(json.dumps(result))


@pytest.mark.parametrize("numbered", [False, True])
def test_a_result_that_names_no_patches_has_none(numbered: bool, run_directory: Path) -> None:
    _write(run_directory, _result() | ({"format": RESULT_FORMAT} if numbered else {}))
    assert "Memory of the winner" in write_report(run_directory).read_text()
    assert export_winner(run_directory, run_directory / "c")["format"] == "c"


@pytest.mark.parametrize(
    "result",
    [
        _result() | {"format": RESULT_FORMAT + 1},
        _result() | {"format": "old"},
        {key: value for key, value in _result().items() if key != "model_info"},
        _result() | {"winner": {}},
        [],
    ],
)
def test_another_form_is_one_line(result: Any, run_directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(run_directory, result)
    for words in (("report", str(run_directory)), ("export", str(run_directory), str(run_directory / "c"))):
        with pytest.raises(SystemExit) as done:
            main(words)
        assert done.value.code == 2
        error = capsys.readouterr().err
        assert "made by another version of TinyNAS: run it again" in error
        assert error.count("\n") == 1
    assert not (run_directory / "c").exists()


def test_a_damaged_result_is_told_apart(run_directory: Path) -> None:
    (run_directory / "result.json").write_text("{")
    with pytest.raises(ResultFormatError, match="damaged"):
        read_result(run_directory)
