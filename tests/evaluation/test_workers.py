"""Processes that an evaluator keeps between questions: what one question left does not answer the next."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tinynas.evaluation._workers import Workers
from tinynas.training import WorkerError

HANGS_SECONDS = 10 * 60
"""What takes longer hangs: no measurement, a machine may be slow."""


def _state(offset: int) -> int:
    return offset


def _plus(state: int, task: int) -> int:
    if task < 0:
        raise ValueError("a task that cannot be done")
    return state + task


def _plus_when(state: int, task: tuple[int, Path | None]) -> int:
    """Answers when there is such a file."""
    number, file = task
    deadline = time.monotonic() + HANGS_SECONDS
    while file is not None and not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return state + number


@pytest.fixture
def workers() -> Iterator[Workers[int]]:
    made = Workers(2, _state, 10)
    yield made
    made.close()


def test_answers_are_right_after_a_task_failed(workers: Workers[int]) -> None:
    """One worker has answered when the other one fails."""
    with pytest.raises(WorkerError, match="a task that cannot be done"):
        workers.map(_plus, [-1, 1, 2, 3])
    assert workers.map(_plus, [5, 6, 7]) == [15, 16, 17]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_answers_are_right_after_whoever_sees_them_failed(
    error: type[BaseException], workers: Workers[int], tmp_path: Path
) -> None:
    """The other worker answers when nobody listens any more."""
    failed = tmp_path / "failed"

    def seen(position: int, result: int) -> None:
        failed.touch()
        raise error("seen")

    with pytest.raises(error, match="seen"):
        workers.map(_plus_when, [(1, None), (2, failed)], seen)
    told: list[tuple[int, int]] = []
    assert workers.map(_plus, [5, 6, 7], lambda *answer: told.append(answer)) == [15, 16, 17]
    assert told == [(0, 15), (1, 16), (2, 17)]
    assert workers.map(_plus, []) == []
