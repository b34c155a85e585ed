"""Shared weights are trained where the evaluator looks at them or the finetuning begins with them, and else not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tinynas.evaluation import EvaluatorError
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.costs import CostModel
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.stages import _counted, _search, _supernet
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._search import Search
from tinynas.pipeline.run.stages._supernet import initial_weights
from tinynas.pipeline.run.storage import RunDirectory
from tinynas.spaces import load_space, parse_space
from tinynas.targets import Reserve, load_board
from tinynas.training import Dataset, Split, Supernet

SPACE = load_space("mobile-tiny")
CHOSEN = ChosenSpace(SPACE, 0.5, 16, 1, 2)

NO_SHARED_WEIGHTS = """
family = "anynet"
name = "kinds"
description = "a stage of one of two kinds"
resolutions = [16]
[stem]
width = [4]
[[stages]]
block = ["depthwise_separable", "conv"]
width = [4, 8]
choices = { kernel = [3] }
"""

Made = tuple[RunContext, Search, list[Supernet]]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Made]]:
    """Makes the search of a configuration; a supernet that would be trained is noted, and left as it begins."""
    monkeypatch.setattr(_counted, "_EVALUATIONS", 20)
    trained: list[Supernet] = []

    def train(context: RunContext, chosen: ChosenSpace) -> Supernet:
        trained.append(Supernet([chosen.graph(chosen.space.largest())], seed=context.config.seed))
        return trained[-1]

    for module in (_search, _supernet):
        monkeypatch.setattr(module, "train", train)
    board = load_board("nucleo-f303k8")
    costs = CostModel(board, NativeMemoryModel.for_board(board), Reserve())
    split = Split(np.zeros((8, 16, 16, 1), np.uint8), np.arange(8) % 2)
    data = Dataset("own", split, split, split, ("a", "b"))
    with RunDirectory(tmp_path, {}) as run:

        def make(finetune: dict[str, Any], chosen: ChosenSpace = CHOSEN, **search: Any) -> Made:
            config = RunConfig.model_validate(
                {
                    "board": board.name,
                    "data": {"dataset": "own"},
                    "finetune": finetune,
                    "search": {"evaluations": 4, "strategy": "random", **search},
                }
            )
            context = RunContext(config, board, chosen.space, data, run, SilentProgress(), 1)
            return context, Search(context, chosen, costs), trained

        yield make


@pytest.mark.parametrize("evaluator", ["macs", "synflow", "training"])
def test_an_evaluator_that_looks_at_no_weights_has_none_trained(evaluator: str, made: Callable[..., Made]) -> None:
    context, search, trained = made({}, evaluator=evaluator)
    search.method.evaluator().close()
    assert search.method.supernet is None
    assert initial_weights(context, CHOSEN, search.method) is None
    assert trained == []


def test_a_supernet_is_trained_for_the_finetuning_alone_where_that_is_asked(made: Callable[..., Made]) -> None:
    context, search, trained = made({"weights": "supernet"}, evaluator="macs")
    search.method.evaluator().close()
    assert trained == []
    assert initial_weights(context, CHOSEN, search.method) is trained[0]


def test_networks_go_on_from_the_weights_that_they_were_scored_with(made: Callable[..., Made]) -> None:
    context, search, trained = made({})
    assert trained == []  # whatever would be refused has been refused by now
    search.method.evaluator().close()
    assert search.method.supernet is initial_weights(context, CHOSEN, search.method) is trained[0]
    assert len(trained) == 1


def test_networks_begin_with_random_weights_where_that_is_asked(made: Callable[..., Made]) -> None:
    context, search, trained = made({"weights": "random"})
    search.method.evaluator().close()
    assert len(trained) == 1
    assert initial_weights(context, CHOSEN, search.method) is None


def test_networks_that_share_no_weights_cannot_begin_with_those_of_a_supernet(made: Callable[..., Made]) -> None:
    chosen = ChosenSpace(parse_space(NO_SHARED_WEIGHTS), 1.0, 16, 1, 2)
    with pytest.raises(EvaluatorError, match="the networks of space 'kinds' share no weights") as error:
        made({"weights": "supernet"}, chosen, evaluator="macs")
    assert "\n" not in str(error.value)
    context, search, trained = made({}, chosen, evaluator="macs")
    search.method.evaluator().close()
    assert initial_weights(context, chosen, search.method) is None
    assert trained == []
