"""`tinynas export`: C projects and their kernels, and offline plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import call

from tinynas.cli import main
from tinynas.formats import write_tflite
from tinynas.graph import DType, GraphBuilder
from tinynas.latency import with_random_constants
from tinynas.testing import run_tflm


def test_any_model_becomes_a_c_project(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document, _ = call(capsys, "export", str(model), str(tmp_path / "project"))
    assert (code, document["format"]) == (0, "c")
    assert {Path(file).name for file in document["files"]} >= {"model.h", "model.c", "kernel.h", "Makefile"}
    assert '#define TN_MODEL_NAME "small"' in (tmp_path / "project" / "model.h").read_text()
    code, document, _ = call(capsys, "export", str(model), str(tmp_path / "project"))
    assert code == 2
    assert "--force" in document["error"]


@pytest.mark.parametrize("board", ["virt-m4", "virt-m0plus"])
def test_a_c_project_for_a_board_has_the_kernels_chosen_for_it(
    board: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("export", str(model), str(tmp_path / "project"), "--board", board)
    code, document, _ = call(capsys, *words, "--toolchain", "gcc", "--reserve-flash", "1000")
    assert (code, document["format"]) == (0, "c")
    text = (tmp_path / "project" / "model.c").read_text()
    _, inspected, _ = call(capsys, "inspect", str(model), "--board", board, "--toolchain", "gcc")
    # Both have room for everything: the same choice, with its reasons.
    for layer in inspected["kernels"]["layers"]:
        assert f"STEP({layer['variant']});" in text
        assert layer["reason"].split(":")[0] in text
    assert "mean: the only kernel for it" in text


def test_a_c_project_says_where_no_kernels_could_be_compared(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    words = ("export", str(model), str(tmp_path / "project"), "--board", "nucleo-f303k8", "--reserve-flash", "64000")
    code, document, _ = call(capsys, *words)
    assert (code, document["choice"]["not_compared"]) == (0, "no kernels fit the board's flash")
    assert [line for line in caplog.messages if "no kernels fit the board's flash" in line]


def test_an_offline_plan_lowers_the_arena_and_changes_no_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = GraphBuilder("branches", DType.INT8)
    source = builder.input((1, 12, 12, 8))
    x = source
    for index, channels in enumerate((32, 8, 24, 8)):
        x = builder.conv_2d(x, channels, (1, 1), name=f"conv{index}")
    x = builder.add(source, x, name="join")
    graph = with_random_constants(builder.build([x]), seed=2)
    before, after = tmp_path / "before.tflite", tmp_path / "after.tflite"
    write_tflite(graph, before)
    code, document, _ = call(capsys, "export", str(before), str(after), "--offline-plan")
    assert code == 0
    assert document["saved_bytes"] >= 0
    values = np.random.default_rng(0).integers(-128, 128, (1, 12, 12, 8)).astype(np.int8)
    assert np.array_equal(run_tflm(before.read_bytes(), [values])[0], run_tflm(after.read_bytes(), [values])[0])
    code, document, _ = call(capsys, "export", str(before), str(tmp_path / "copy.tflite"))
    assert code == 2
    assert "--offline-plan" in document["error"]


def branches(tmp_path: Path) -> Path:
    """A block that TFLM's own planner does not place at the lower bound."""
    builder = GraphBuilder("branches", DType.INT8)
    first = builder.conv_2d(builder.input((1, 16, 16, 8)), 7, (1, 1), name="a")
    x = first
    for index, channels in enumerate((9, 8, 8)):
        x = builder.conv_2d(x, channels, (1, 1), name=f"b{index}")
    graph = builder.build([builder.add(x, builder.conv_2d(first, 8, (1, 1), name="skip"), name="join")])
    path = tmp_path / "branches.tflite"
    write_tflite(with_random_constants(graph, seed=2), path)
    return path


@pytest.mark.parametrize("kernels", ["reference", "cmsis-nn"])
def test_a_stored_plan_is_seen_and_not_stored_again(
    kernels: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after, again = branches(tmp_path), tmp_path / "after.tflite", tmp_path / "again.tflite"

    def inspected(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        words = ("inspect", str(path), "--board", "virt-m4", "--engine", "tflm", "--kernels", kernels)
        _, document, _ = call(capsys, *words)
        return document["sram"], document["memory"]["options"][0]

    sram, option = inspected(before)
    assert (option["applied"], "export" in option["how"]) == (False, True)
    assert ("--kernels cmsis-nn" in option["how"]) == (kernels == "cmsis-nn")
    assert sram["arena_bytes"] - option["saved_bytes"] == option["arena_bytes"]
    words = ("--offline-plan", "--kernels", kernels)
    _, stored, _ = call(capsys, "export", str(before), str(after), *words)
    assert (stored["kernels"], stored["stored"], stored["saved_bytes"]) == (kernels, True, option["saved_bytes"])
    planned, applied = inspected(after)
    assert planned["arena_bytes"] == stored["head_bytes"] == option["arena_bytes"]
    assert (applied["applied"], applied["saved_bytes"]) == (True, option["saved_bytes"])
    _, second, _ = call(capsys, "export", str(after), str(again), *words)
    assert (second["stored"], second["saved_bytes"], second["head_bytes"]) == (False, 0, stored["head_bytes"])
    assert again.read_bytes() == after.read_bytes()
    with pytest.raises(SystemExit):
        main(["export", str(after), str(again), *words, "--force"])
    assert f"with the {kernels} kernels" in (out := capsys.readouterr().out)
    assert "nothing saved, file copied" in out
