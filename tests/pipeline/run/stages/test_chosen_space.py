"""Which width and resolution are searched where no sampled network fits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tinynas.memory import NativeMemoryModel
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.costs import CostModel
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.storage import RunDirectory
from tinynas.spaces import load_space
from tinynas.targets import Reserve, load_board
from tinynas.training import Dataset, Split


class _LastWords(SilentProgress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def end(self, summary: str) -> None:
        self.said.append(summary)


@pytest.mark.parametrize(("flash_bytes", "expected"), [(60_000, (0.5, 16)), (0, (1.0, 24))])
def test_where_no_sample_fits_the_smallest_configuration_is_searched(
    flash_bytes: int, expected: tuple[float, int], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    from tinynas.pipeline.run.stages._context import RunContext
    from tinynas.pipeline.run.stages._space import choose_space

    board = load_board("nucleo-f303k8")
    config = RunConfig.model_validate({"board": board.name, "data": {"dataset": "own"}, "space": {"samples": 20}})
    split = Split(np.zeros((2, 24, 24, 1), np.uint8), np.arange(2))
    progress = _LastWords()
    with RunDirectory(tmp_path, {}) as run:
        data = Dataset("own", split, split, split, ("a", "b"))
        context = RunContext(config, board, load_space("mobile-tiny"), data, run, progress, processes=1)
        costs = CostModel(board, NativeMemoryModel.for_board(board), Reserve(flash_bytes=flash_bytes))
        chosen = choose_space(context, costs, [(1.0, 16), (0.5, 24), (1.0, 24), (0.5, 16)])
    assert (chosen.width, chosen.resolution) == expected
    document = json.loads((tmp_path / "space.json").read_text())
    assert document["chosen"] == {"width": expected[0], "resolution": expected[1]}
    nothing_fitted = flash_bytes > 0
    assert ("none of the 20 sampled networks fitted" in document["criterion"]) is nothing_fitted
    assert ("no sampled network fitted" in progress.said[-1]) is nothing_fitted
