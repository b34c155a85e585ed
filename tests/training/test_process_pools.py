"""Pools of processes: answers, failures, how many processes there are and how they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from tinynas.training import ProcessPool, TaskPool, WorkerError
from tinynas.training import _processes as processes_module

HANGS_SECONDS = 10 * 60
"""What takes longer hangs: no measurement, a machine may be slow."""


def _wait_for(folder: Path, files: int) -> None:
    deadline = time.monotonic() + HANGS_SECONDS
    while len(list(folder.iterdir())) < files and time.monotonic() < deadline:
        time.sleep(0.01)


def _state(offset: int) -> int:
    return offset


def _plus(state: int, task: int) -> tuple[int, str]:
    return state + task, multiprocessing.current_process().name


def _fail(state: int, task: int) -> int:
    if multiprocessing.parent_process() is not None:
        raise ValueError("a task that cannot be done")
    return task


def _die(state: int, task: int) -> int:
    if multiprocessing.parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_a_pool_answers_in_order_and_reports_failures() -> None:
    threads = torch.get_num_threads()
    with ProcessPool(2, _state, 10) as pool:
        answers = pool.map(_plus, range(5))
        assert [value for value, _ in answers] == [10, 11, 12, 13, 14]
        assert len({name for _, name in answers}) == 2
        assert pool.map(_plus, [1])[0][0] == 11
        with pytest.raises(WorkerError, match="a task that cannot be done"):
            pool.map(_fail, range(2))
        with pytest.raises(WorkerError, match="died"):
            pool.map(_die, range(2))
    assert torch.get_num_threads() == threads


def _fail_here(state: int, task: int) -> int:
    if multiprocessing.parent_process() is None:
        raise ValueError("a task that cannot be done")
    return task


def test_a_pool_that_failed_answers_what_it_is_asked_next() -> None:
    """The worker has answered when the calling process fails, and nobody has read it."""
    with ProcessPool(2, _state, 10) as pool:
        with pytest.raises(ValueError, match="cannot be done"):
            pool.map(_fail_here, range(2))
        assert [value for value, _ in pool.map(_plus, range(2))] == [10, 11]


def _answers(pool: TaskPool[Any], function: Callable[[Any, int], Any], tasks: Iterable[int]) -> list[Any]:
    submitted = [pool.submit(function, task) for task in tasks]
    return [pool.collect() for _ in submitted]


def _wait(folder: Path, task: int) -> int:
    """Task 0 ends when every other one has: it can only if it keeps no other from being given out."""
    if task == 0:
        _wait_for(folder, 3)
    else:
        (folder / str(task)).touch()
    return 10 * task


def test_a_long_task_keeps_no_other_one_waiting(tmp_path: Path) -> None:
    with TaskPool(2, Path, tmp_path) as pool:
        assert _answers(pool, _wait, range(4)) == [0, 10, 20, 30]
        assert _answers(pool, _wait, [5]) == [50]


def test_a_task_begins_when_it_is_given_and_not_when_its_answer_is_wanted(tmp_path: Path) -> None:
    with TaskPool(2, Path, tmp_path) as pool:
        for task in (0, 1, 2):
            pool.submit(_wait, task)
        _wait_for(tmp_path, 1)
        pool.submit(_wait, 3)
        _wait_for(tmp_path, 2)  # the worker that was idle again has taken one of the tasks that waited
        assert [pool.collect() for _ in range(4)] == [0, 10, 20, 30]
        with pytest.raises(ValueError, match="no task"):
            pool.collect()


def test_the_process_that_waits_reports_failures() -> None:
    for function, message in ((_fail, "a task that cannot be done"), (_die, "died")):
        with TaskPool(2, _state, 10) as pool, pytest.raises(WorkerError, match=message):
            _answers(pool, function, range(3))
    with TaskPool(1, _state, 10) as pool:
        assert [value for value, _ in _answers(pool, _plus, range(3))] == [10, 11, 12]


def test_no_more_processes_are_started_than_there_are_tasks() -> None:
    before = len(multiprocessing.active_children())
    with TaskPool(3, _state, 10) as tasks:
        for count in (1, 2):
            assert [value for value, _ in _answers(tasks, _plus, range(count))] == [10, 11][:count]
            assert len(multiprocessing.active_children()) - before == count
    with ProcessPool(3, _state, 10) as shards:
        for count in (1, 2):
            assert [value for value, _ in shards.map(_plus, range(count))] == [10, 11][:count]
            assert len(multiprocessing.active_children()) - before == count - 1
    assert len(multiprocessing.active_children()) == before


def _answer_late(folder: Path, task: int) -> int:
    _wait_for(folder, 1)
    return task


def test_a_worker_whose_answer_nobody_waits_for_ends_quietly(tmp_path: Path) -> None:
    with TaskPool(2, Path, tmp_path) as pool:
        pool._start(1)
        (pipe,), (worker,) = pool._pipes, pool._workers
        pipe.send((_answer_late, [1]))
        pipe.close()
        (tmp_path / "closed").touch()
        worker.join(HANGS_SECONDS)
        assert worker.exitcode == 0  # 1 with a traceback


class _Busy:
    """A worker that ends only when it is terminated, in a time of its own."""

    now = 0.0

    def __init__(self) -> None:
        self.terminated = False

    def join(self, timeout: float | None = None) -> None:
        assert self.terminated or timeout is not None
        if not self.terminated and timeout is not None:
            _Busy.now += timeout

    def is_alive(self) -> bool:
        return not self.terminated

    def terminate(self) -> None:
        self.terminated = True


def test_workers_share_the_time_that_they_have_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Busy, "now", 0.0)
    monkeypatch.setattr(processes_module.time, "monotonic", lambda: _Busy.now)
    workers: list[Any] = [_Busy() for _ in range(3)]
    with TaskPool(3, _state, 10) as pool:
        pool._workers = workers
    assert _Busy.now == 5.0
    assert all(worker.terminated for worker in workers)


def _keep(writer: Connection) -> Connection:
    return writer


def _say_and_work_on(writer: Connection, task: int) -> None:
    writer.send(os.getpid())
    time.sleep(2 * HANGS_SECONDS)


def _use_a_pool(writer: Connection) -> None:
    with TaskPool(2, _keep, writer) as pool:
        _answers(pool, _say_and_work_on, [0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a worker finishes its task first")
def test_a_worker_dies_with_its_parent() -> None:
    """The pipe is at its end when neither of them is left."""
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    parent = context.Process(target=_use_a_pool, args=(writer,))
    parent.start()
    writer.close()
    assert reader.poll(HANGS_SECONDS)
    worker = reader.recv()
    parent.kill()
    parent.join()
    if not reader.poll(HANGS_SECONDS):
        os.kill(worker, signal.SIGKILL)
        pytest.fail("the worker goes on without its parent")
    with pytest.raises(EOFError):
        reader.recv()
