"""`--stream-input` of `tinynas export` and `tinynas measure`."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import call

from tinynas.formats import write_tflite
from tinynas.graph import DType, GraphBuilder
from tinynas.latency import with_random_constants


def test_a_c_project_takes_rows(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "project"
    code, document, _ = call(capsys, "export", str(model), str(project), "--stream-input", "--prefix", "cat")
    rows = document["input_by_rows"]
    assert (code, rows["rows"], rows["row_bytes"]) == (0, 12, 24)
    header = (project / "cat.h").read_text()
    assert "int32_t cat_push_row(const int8_t *row);" in header
    assert "#define TN_CAT_INPUT_ROWS 12\n#define TN_CAT_INPUT_ROW_BYTES 24\n" in header
    assert f"#define TN_CAT_ARENA_BYTES {rows['arena_bytes']}\n" in header
    assert "cat_input(void)" not in header
    assert "cat_invoke(void)" not in header
    assert (project / "kernels" / "streaming" / "stream_rows.c").is_file()


@pytest.mark.parametrize("board", ["virt-m0plus", "nucleo-f303k8"])
def test_a_board_runs_it_row_by_row(board: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("measure", str(model), "--board", board, "--virtual", "--runs", "3", "--stream-input")
    code, document, _ = call(capsys, *words)
    assert (code, document["matches_reference"]) == (0, True)
    assert document["layers"][0]["variant"] == "stream_rows"
    assert document["instructions"] == sum(layer["instructions"] for layer in document["layers"])
    rows = document["input_by_rows"]
    code, document, _ = call(capsys, *words, "--arena", str(rows["arena_bytes"]))
    assert (code, document["matches_reference"]) == (0, True)
    assert document["input_by_rows"]["arena_bytes"] <= rows["arena_bytes"]
    code, document, _ = call(capsys, *words, "--arena", "100")
    assert code == 1
    assert "its input row by row takes an arena of" in document["error"]


def test_what_cannot_take_rows_says_so(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    b = GraphBuilder("whole", DType.INT8)
    turned = b.transpose(b.input((1, 8, 6, 4)), (0, 2, 1, 3), name="turned")
    whole = b.build([b.conv_2d(turned, 3, 3, name="head")])
    write_tflite(with_random_constants(whole, 0), tmp_path / "whole.tflite")
    code, document, _ = call(capsys, "export", str(tmp_path / "whole.tflite"), str(tmp_path / "out"), "--stream-input")
    assert code == 2
    assert "its input cannot come row by row: TRANSPOSE" in document["error"]
    words = ("export", str(model), str(tmp_path / "new.tflite"), "--offline-plan", "--stream-input")
    code, document, _ = call(capsys, *words)
    assert code == 2
    assert "--stream-input goes with a folder" in document["error"]
    code, document, _ = call(capsys, "export", str(tmp_path), str(tmp_path / "out"), "--stream-input")
    assert code == 2
    assert "--stream-input takes a .tflite file" in document["error"]
