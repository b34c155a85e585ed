"""A method's own training is work of its own, whatever the method is called."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("torch")

from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.run.stages._context import RunContext
from tinynas.pipeline.run.stages._method_training import train_method
from tinynas.pipeline.run.storage import RunDirectory
from tinynas.search import SearchMethod, TrainingProgress


class Trains:
    """Writes what it trained into its checkpoint, and counts what it did not find there."""

    training_steps = 2

    def __init__(self, name: str) -> None:
        self.name = name
        self.trained = 0

    def train(self, checkpoint: Path, progress: TrainingProgress | None = None) -> None:
        if checkpoint.exists():
            return
        self.trained += 1
        checkpoint.write_text("trained")
        if progress is not None:
            progress(2, 2, 0.5)


def trained(run: RunDirectory, method: Trains) -> int:
    context = cast(RunContext, SimpleNamespace(run=run, progress=SilentProgress()))
    train_method(context, cast(SearchMethod, method))
    return method.trained


@pytest.mark.parametrize("name", ["space", "supernet", "calibration", "gradient"])
def test_a_method_with_the_name_of_a_stage_is_trained_once_and_leaves_the_stage_alone(
    name: str, tmp_path: Path
) -> None:
    stage: dict[str, Any] = {"width": 0.5}
    with RunDirectory(tmp_path, {}) as run:
        run.write(f"{name}.pt", "of the stage")
        run.once(name, lambda: stage, [f"{name}.pt"])
        assert trained(run, Trains(name)) == 1
        assert run.finished(name) == stage
        assert run.finished(f"method {name}") == {"loss": 0.5, "steps": 2}
    with RunDirectory(tmp_path, {}) as run:
        assert trained(run, Trains(name)) == 0
        assert run.file(f"method-{name}.pt").read_text() == "trained"
