"""What is timed for a budget of minutes is what the run trains: the same networks, settings and processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynas.memory import NativeMemoryModel
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.costs import CostModel
from tinynas.pipeline.run import RunConfig, steps_of, with_steps
from tinynas.pipeline.run.storage import RunDirectory
from tinynas.spaces import load_space
from tinynas.targets import Reserve, load_board
from tinynas.training import Dataset, Split

pytest.importorskip("torch")

from tinynas import training
from tinynas.pipeline.run.stages import _counted, _throughput
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._search import Search
from tinynas.pipeline.run.stages._throughput import seconds_per_step
from tinynas.training import TrainingDiverged, TrainingSettings, _bilevel, _descent

SPACE = load_space("mobile-tiny")
CHOSEN = ChosenSpace(SPACE, 0.5, 16, 1, 2)
STEPS = 4

Timed = Callable[..., dict[str, float]]


@pytest.fixture
def timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Timed]:
    """Times the steps of a configuration."""
    monkeypatch.setattr(_counted, "_EVALUATIONS", 20)
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (40, 16, 16, 1)).astype(np.uint8), np.arange(40) % 2)
    data = Dataset("own", split, split, split, ("a", "b"))
    board = load_board("nucleo-f303k8")
    costs = CostModel(board, NativeMemoryModel.for_board(board), Reserve())
    with RunDirectory(tmp_path / "run", {}) as run:

        def time(**sections: Any) -> dict[str, float]:
            config = RunConfig.model_validate({"board": board.name, "data": {"dataset": "own"}, **sections})
            config = with_steps(config, dict.fromkeys(steps_of(config), STEPS))
            context = RunContext(config, board, SPACE, data, run, SilentProgress(), 1)
            return seconds_per_step(context, CHOSEN, Search(context, CHOSEN, costs))

        yield time


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, TrainingSettings]]:
    """What was trained, in order: the side of the images and how."""
    noted: list[tuple[int, TrainingSettings]] = []
    begin = _descent.Descent.__init__

    def note(self: _descent.Descent, parameters: Any, gradient: Any, settings: TrainingSettings) -> None:
        noted.append((side[-1], settings))
        begin(self, parameters, gradient, settings)

    side: list[int] = []
    batch = training.Split.resized

    def resized(self: Split, resolution: int) -> Split:
        side.append(resolution)
        return batch(self, resolution)

    monkeypatch.setattr(_descent.Descent, "__init__", note)
    monkeypatch.setattr(training.Split, "resized", resized)
    return noted


def test_each_training_is_timed_as_it_is_trained(timed: Timed, settings: list[tuple[int, TrainingSettings]]) -> None:
    seconds = timed(
        data={"dataset": "own", "shift": 1},
        search={
            "evaluator": "predictor",
            "evaluator_options": {
                "samples": 4,
                "over_options": {"batch_size": 6, "optimizer": "adam", "resolution_scale": 0.5, "label_smoothing": 0.2},
            },
        },
        ruler={"networks": 4, "groups": 2},
        finetune={"batch_size": 8, "optimizer": "muon", "label_smoothing": 0.1},
        quantization={"method": "qat", "optimizer": "adamw"},
    )
    assert list(seconds) == ["evaluation", "ruler", "finetune", "quantization"]
    assert all(value > 0 for value in seconds.values())
    assert {(s.steps, s.augmentation.shift) for _, s in settings} == {(STEPS, 1)}
    told = [(s.batch_size, type(s.optimizer).__name__, s.label_smoothing, s.shards) for _, s in settings]
    assert told == [
        *3 * [(6, "Adam", 0.2, 1)],
        *3 * [(8, "Muon", 0.1, 1)],
        *3 * [(8, "Muon", 0.1, 2)],
        *3 * [(8, "AdamW", 0.1, 2)],
    ]
    assert settings[0][0] == 8


def test_shared_weights_are_timed_by_the_sandwich(timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    backward = training.Supernet.logits

    def logits(self: Any, *given: Any) -> Any:
        passes.append(1)
        return backward(self, *given)

    monkeypatch.setattr(training.Supernet, "logits", logits)
    monkeypatch.setattr(_throughput, "steps_of", lambda config: ["supernet"])
    seconds = timed(supernet={"batch_size": 8, "sampled_per_step": 3})
    assert seconds["supernet"] > 0
    assert len(passes) == STEPS * 2 * 5  # of two shards: the largest, the smallest, three between


def test_a_method_is_timed_by_its_own_training(timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []
    gradient = _bilevel._shard_gradient

    def note(worker: Any, task: Any) -> float:
        trained.append(task.trained)
        return gradient(worker, task)

    monkeypatch.setattr(_bilevel, "_shard_gradient", note)
    monkeypatch.setattr(_throughput, "steps_of", lambda config: ["supernet"])
    assert timed(search={"method": "gradient"}, supernet={"batch_size": 8})["supernet"] > 0
    assert trained.count("weights") == 2 * STEPS
    assert trained.count("architecture") == 2 * (STEPS - 1)  # after the warm-up


def test_fewer_networks_than_are_timed_are_enough(timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    smallest = SPACE.smallest()
    monkeypatch.setattr(Search, "feasible", lambda self, rng: smallest)
    assert timed(search={"evaluator": "macs"}, finetune={"batch_size": 8})["finetune"] > 0


def test_a_training_that_diverges_is_timed_by_the_steps_before(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([1.0, 3.0, 6.0])
    monkeypatch.setattr(_throughput.time, "perf_counter", lambda: next(moments))

    def diverging(steps: int) -> Callable[[Any], None]:
        def train(progress: Any) -> None:
            for step in range(steps):
                progress(step + 1, 8, 0.1)
            raise TrainingDiverged("at once")

        return train

    assert _throughput._median_step(diverging(3)) == 2.5
    with pytest.raises(TrainingDiverged):
        _throughput._median_step(diverging(0))
