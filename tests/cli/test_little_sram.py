"""What fits only with less scratch, or in patches: `inspect`, `measure` and `export` say and build the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import call
from little_sram_networks import large_image, wide
from small_boards import small_board

from tinynas.cli import main
from tinynas.formats import write_tflite
from tinynas.graph import Graph
from tinynas.latency import with_random_constants

KEYS = {
    *("changes", "ways_tried", "reordered", "in_place", "patches", "streams", "arena_bytes", "arena_bytes_by_shape"),
    *("fits_by_shape", "unit", "extra_ticks", "extra_flash_bytes"),
}


def saved(graph: Graph, folder: Path) -> str:
    path = folder / f"{graph.name}.tflite"
    write_tflite(with_random_constants(graph, seed=2), path)
    return str(path)


@pytest.mark.parametrize(("graph", "arena_bytes"), [(wide(), 6400), (large_image(), 9000)], ids=["kernels", "patches"])
@pytest.mark.parametrize("board", ["virt-m4", "virt-m0plus"])
def test_three_commands_agree(
    board: str, graph: Graph, arena_bytes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, small = saved(graph, tmp_path), str(small_board(board, arena_bytes, tmp_path))
    code, inspected, _ = call(capsys, "inspect", model, "--board", small)
    assert (code, inspected["fits"], inspected["reasons"]) == (0, True, [])
    schedule = inspected["schedule"]
    assert set(schedule) == KEYS
    assert schedule["changes"]
    assert schedule["arena_bytes"] == inspected["sram"]["arena_bytes"] <= arena_bytes < schedule["arena_bytes_by_shape"]
    code, measured, _ = call(capsys, "measure", model, "--board", small, "--virtual", "--runs", "2")
    assert (code, measured["matches_reference"]) == (0, True)
    assert measured["schedule"] == schedule
    assert [layer["name"] for layer in measured["layers"]] == [op["name"] for op in inspected["ops"]]
    assert measured["flash_bytes"] == inspected["flash"]["total_bytes"]
    code, exported, _ = call(capsys, "export", model, str(tmp_path / "project"), "--board", small)
    assert (code, exported["schedule"]) == (0, schedule)
    assert exported["choice"] == inspected["kernels"]
    text = (tmp_path / "project" / "model.c").read_text()
    calls = re.findall(r"^    STEP\((\w+)\);", text, re.MULTILINE)
    assert calls == [layer["variant"] for layer in measured["layers"]]


def test_what_is_faster_within_an_arena_is_given_nothing_up_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = saved(large_image(), tmp_path)
    words = ["measure", model, "--board", "virt-m4", "--virtual", "--no-layers", "--arena"]
    measured = [call(capsys, *words, arena)[1] for arena in ("100000", "9000")]
    assert [document["schedule"]["fits_by_shape"] for document in measured] == [True, False]
    assert measured[0]["cycles"] <= measured[1]["cycles"]
    for arena, text in (("100000", "faster within that arena than"), ("9000", "given up for memory, since")):
        with pytest.raises(SystemExit):
            main([*words, arena])
        assert (text in capsys.readouterr().out) == (arena == "9000" or bool(measured[0]["schedule"]["changes"]))


def test_what_is_given_up_is_printed_with_its_price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, small = saved(wide(), tmp_path), str(small_board("virt-m4", 6400, tmp_path))
    _, document, _ = call(capsys, "inspect", model, "--board", small)
    with pytest.raises(SystemExit):
        main(["inspect", model, "--board", small, "--why"])
    printed = capsys.readouterr().out
    schedule = document["schedule"]
    assert "kernels of less scratch in 1 layer: conv_2d for conv_2d_im2col" in printed
    assert (
        f"arena 6,400 bytes instead of {schedule['arena_bytes_by_shape']:,}, "
        f"{schedule['extra_ticks']:,} cycles more" in printed
    )
    assert "but its scratch of 6,400 bytes does not fit: 6,400 too many" in printed
    (option,) = (o for o in document["memory"]["options"] if o["kind"] == "kernels")
    assert (option["applied"], option["saved_bytes"]) == (True, 6400)
    assert f"kernels      saved 6,400 bytes: applied: kernels of less scratch, for {option['extra_ticks']:,}" in printed


def test_advice_names_kernels_of_less_scratch_and_their_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, document, _ = call(capsys, "inspect", saved(wide(), tmp_path), "--board", "virt-m4")
    assert document["schedule"]["changes"] == []
    (option,) = (o for o in document["memory"]["options"] if o["kind"] == "kernels")
    assert (option["applied"], option["arena_bytes"], option["saved_bytes"]) == (False, 6400, 6400)
    assert option["extra_ticks"] > 0
    assert f"for {option['extra_ticks']:,} cycles more" in option["how"]


def test_the_nearest_miss_is_named_and_exported_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    model, small = saved(large_image(), tmp_path), str(small_board("virt-m4", 2000, tmp_path))
    code, document, _ = call(capsys, "inspect", model, "--board", small)
    assert (code, document["fits"]) == (1, False)
    shortage, way = document["reasons"]
    (region,) = (region for region in document["regions"] if region["kind"] == "sram")
    assert f"{region['used_bytes'] - region['available_bytes']:,} too few" in shortage
    assert way.startswith(
        f"none of {document['schedule']['ways_tried']} choices of kernels, order, in place, row by row and patches "
    )
    assert document["schedule"]["changes"] == []
    code, measured, _ = call(capsys, "measure", model, "--board", small, "--virtual")
    assert (code, "sram" in measured["error"]) == (1, True)
    assert [line for line in caplog.messages if shortage in line and way in line]
    caplog.clear()
    code, exported, _ = call(capsys, "export", model, str(tmp_path / "project"), "--board", small)
    assert (code, exported["schedule"]) == (0, document["schedule"])
    assert [line for line in caplog.messages if shortage in line and "does not fit" in line]
