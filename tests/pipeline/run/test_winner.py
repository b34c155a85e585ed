"""Run directories of other versions: what can be read is read, all else ends in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tinynas.cli import main
from tinynas.engine import Alternative, ChosenKernels, KernelChoice
from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import DType, GraphBuilder
from tinynas.latency import with_random_constants
from tinynas.lowering import lower, with_variants
from tinynas.pipeline import export_winner, write_report
from tinynas.pipeline.costs import kernels_json
from tinynas.pipeline.run import RESULT_FORMAT, ResultFormatError, read_result, schedule_as_built


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


def test_the_kernels_of_the_winner_are_kept_with_their_reasons(run_directory: Path) -> None:
    graph = read_tflite(run_directory / "winner.tflite")
    schedule = lower(graph)
    reason = "conv_2d: 1,000 instructions fewer than conv_2d_im2col for 400 bytes of flash"
    chosen = ChosenKernels(
        with_variants(schedule, {0: "conv_2d"}, {0: reason}),
        (KernelChoice((0,), "stem", "conv_2d", "conv_2d_im2col", reason, (Alternative("conv_2d", 9, 8, 7, 6, ""),)),),
        unit="instructions",
        saved_ticks=1000,
        extra_flash_bytes=400,
        gap_ticks=0,
    )
    result = _result()
    result["winner"]["kernels"] = kernels_json(chosen)
    _write(run_directory, result)
    kept = read_result(run_directory)
    assert kept is not None
    assert schedule_as_built(kept["winner"], graph) == chosen.schedule
    report = write_report(run_directory).read_text()
    assert "Kernels of the winner" in report
    assert "1 of 1 layers have another kernel than by the local rule: 1,000 instructions fewer for 400 bytes" in report
    export_winner(run_directory, run_directory / "c")
    text = (run_directory / "c" / "model.c").read_text()
    assert f" * {reason} */\n    STEP(conv_2d);" in text


def test_a_winner_that_gave_up_scratch_is_lowered_within_its_arena(run_directory: Path) -> None:
    graph = read_tflite(run_directory / "winner.tflite")
    result = _result()
    result["winner"]["arena_limit_bytes"] = 0
    schedule = schedule_as_built(result["winner"], graph)
    assert schedule == lower(graph, arena_bytes=0) != lower(graph)


def test_the_report_says_where_no_kernels_were_compared(run_directory: Path) -> None:
    layer = KernelChoice((0,), "stem", "conv_2d_im2col", "conv_2d_im2col", "conv_2d_im2col: the local rule", ())
    schedule = lower(read_tflite(run_directory / "winner.tflite"))
    why = "no kernels fit the board's flash"
    chosen = ChosenKernels(schedule, (layer,), "instructions", 0, 0, 0, not_compared=why)
    result = _result()
    result["winner"]["kernels"] = kernels_json(chosen)
    _write(run_directory, result)
    report = write_report(run_directory).read_text()
    assert f"So does the winner: {why.replace(chr(39), '&#39;')}" in report
    assert "were compared by predicted ticks" not in report


@pytest.mark.parametrize(("step", "variant"), [(0, "conv_9x9"), (7, "conv_2d")])
def test_kernels_of_another_version_are_one_line(
    step: int, variant: str, run_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = _result()
    layer = {"steps": [step], "name": "stem", "variant": variant, "local": variant, "reason": "", "alternatives": []}
    result["winner"]["kernels"] = {
        "unit": None,
        "saved_ticks": 0,
        "extra_flash_bytes": None,
        "gap_ticks": 0,
        "layers": [layer],
    }
    _write(run_directory, result)
    with pytest.raises(SystemExit) as done:
        main(["export", str(run_directory), str(run_directory / "c")])
    assert done.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "damage",
    [
        {"instruction_set": "mve"},
        {"arena_limit_bytes": "small"},
        {"unlinked": "conv_1x1"},
        {"unlinked": ["conv_9x9"]},
        {"patches": {"rows": 3}},
        {"kernels": {"unit": None}},
        {"kernels": {"layers": [{"steps": [0], "variant": "conv_2d"}]}},
        {"kernels": {"layers": [7]}},
    ],
)
def test_a_damaged_schedule_is_one_line(
    damage: dict[str, Any], run_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = _result()
    result["winner"] |= damage
    _write(run_directory, result)
    with pytest.raises(SystemExit) as done:
        main(["export", str(run_directory), str(run_directory / "c")])
    assert done.value.code == 2
    error = capsys.readouterr().err
    assert (error.count("\n"), "result.json" in error) == (1, True)


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
