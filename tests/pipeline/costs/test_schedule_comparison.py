"""The chosen space moves with the schedule, and `space`, the run and its report say how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynas.memory import NativeMemoryModel
from tinynas.pipeline import NothingFits, rank_space
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.costs import SCHEDULE_KINDS, CostModel, Sampling, compare_schedules
from tinynas.pipeline.report import render_report
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.storage import RunDirectory
from tinynas.spaces import load_space
from tinynas.targets import Reserve, load_board
from tinynas.training import Dataset, Split


def test_less_memory_for_the_same_networks_never_lowers_the_score() -> None:
    board = load_board("stm32f746g-disco")
    done: list[int] = []
    sampling = Sampling([(0.4, 144), (0.5, 176), (0.6, 192), (0.6, 224)], 25, 0, 3, 1000)
    entries = compare_schedules(
        load_space("mobile"), sampling, board, NativeMemoryModel.for_board(board), Reserve(), done.append
    )
    assert [entry["name"] for entry in entries] == ["plain", "in-place", "patches", "streamed", "pushed"]
    scores = [entry["score"] for entry in entries]
    assert scores[:4] == sorted(scores[:4])
    assert scores[0] < scores[2] < scores[3]
    assert entries[2]["chosen"]["resolution"] > entries[0]["chosen"]["resolution"]
    arenas = [entry["mean_arena_bytes"] for entry in entries]
    assert all(0 < arena <= 320 * 1024 for arena in arenas)
    assert done == list(range(1, 4 * len(SCHEDULE_KINDS) + 1))


def test_nothing_that_fits_is_said_so() -> None:
    board = load_board("nucleo-f303k8")
    sampling = Sampling([(1.0, 224)], 3, 0, 3, 1000)
    entries = compare_schedules(load_space("mobile"), sampling, board, NativeMemoryModel.for_board(board), Reserve())
    assert all(entry["chosen"] is entry["score"] is entry["mean_arena_bytes"] is None for entry in entries)


def test_the_command_compares_only_when_asked() -> None:
    plain, _ = rank_space("nucleo-f303k8", space="mobile-tiny", samples=10, input_channels=1, classes=10)
    compared, _ = rank_space(
        "nucleo-f303k8", space="mobile-tiny", samples=10, input_channels=1, classes=10, compare=True
    )
    assert set(compared) - set(plain) == {"schedules"}
    assert {key: compared[key] for key in plain} == plain
    streamed = compared["schedules"][3]
    assert streamed["chosen"] == plain["chosen"]
    assert streamed["score"] == plain["configurations"][0]["score"]
    without, _ = rank_space(
        "nucleo-f303k8", space="mobile-tiny", samples=10, input_channels=1, classes=10, streams=False
    )
    in_place = compared["schedules"][1]
    assert in_place["chosen"] == without["chosen"]
    assert in_place["score"] == without["configurations"][0]["score"]


def rank_little(**words: Any) -> None:
    """Five networks of a small space on a board of a few KB."""
    rank_space("nucleo-f303k8", space="mobile-tiny", samples=5, input_channels=1, classes=10, **words)


def test_schedules_that_fit_are_named_where_the_asked_one_does_not() -> None:
    with pytest.raises(NothingFits) as plain:
        rank_little(sram_bytes=1800, streams=False)
    with pytest.raises(NothingFits) as compared:
        rank_little(sram_bytes=1800, streams=False, compare=True)
    message = str(compared.value)
    assert message.startswith(f"{plain.value}; networks fit with these schedules: ")
    assert "in place, row by row (w0.5-r20)" in message
    assert "nothing in place (" not in message


def test_a_shortage_of_sram_that_rows_would_end_is_said_to_be_one_of_flash() -> None:
    for sram_bytes, flash_bytes, streams, said in (
        (1800, 9000, True, True),
        (1800, 9000, False, False),  # not allowed
        (1300, None, True, False),  # flash is not what is short
        (2500, 9000, True, False),  # SRAM is not
    ):
        with pytest.raises(NothingFits) as error:
            rank_little(sram_bytes=sram_bytes, flash_bytes=flash_bytes, streams=streams)
        assert str(error.value).endswith("; row by row it would take less SRAM, and no less flash") == said


def test_the_report_of_a_run_has_the_comparison(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tinynas.pipeline.run.stages._context import RunContext
    from tinynas.pipeline.run.stages._space import show_schedules

    board = load_board("nucleo-f303k8")
    config = RunConfig.model_validate({"board": board.name, "data": {"dataset": "own"}, "space": {"samples": 20}})
    split = Split(np.zeros((2, 24, 24, 1), np.uint8), np.arange(2))
    identity = {"config": config.model_dump(mode="json"), "board": board.model_dump(mode="json")}
    with RunDirectory(tmp_path, identity) as run:
        data = Dataset("own", split, split, split, ("a", "b"))
        context = RunContext(config, board, load_space("mobile-tiny"), data, run, SilentProgress(), processes=1)
        costs = CostModel(board, NativeMemoryModel.for_board(board), Reserve())
        show_schedules(context, costs, [(0.5, 16), (0.5, 24), (1.0, 24)])
    document = json.loads((tmp_path / "space-schedules.json").read_text())
    html = render_report(tmp_path)
    assert "How the chosen space moves" in html
    for entry in document["schedules"]:
        assert entry["title"] in html
        assert f"<td>{entry['mean_arena_bytes']:,.0f}</td>" in html
