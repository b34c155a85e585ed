"""A pool of processes that work on one state: how training and scoring use several cores.

Small networks gain little from threads inside one operator; whole shards of a batch in processes of one thread each
scale almost linearly. Every process computes with one thread and no task sees another one's result, so the results do
not depend on the number of processes, nor on which of them a task went to.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import torch
import torch.multiprocessing as multiprocessing

from tinynas.errors import ExternalError

State = TypeVar("State")
Result = TypeVar("Result")


# glibc's malloc.h: parameters of mallopt.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEEP_BYTES = 1 << 30

# Linux's prctl.h: the signal that a process gets when the thread that started it ends.
_PR_SET_PDEATHSIG = 1

# For workers to end by themselves, all together.
_END_SECONDS = 5.0

# Between two calls of who does something else while a task is under way.
_ASIDE_SECONDS = 1.0


def keep_freed_memory() -> None:
    """Let glibc keep the memory of freed tensors for the next ones.

    By default it returns every large block to the kernel and faults it in again page by page, which took 12 to 30 % of
    the training time of a 6 MMAC network. Elsewhere than on glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)


class WorkerError(ExternalError):
    """A worker process failed or died."""


class _Pool(Generic[State]):
    """Workers, started when there are tasks for them, and the state of the calling process where that works as well.

    On Linux workers die with the thread that started them, however it ends: use a pool in one thread.

    Args:
        processes: the most workers beside the calling process.
        works: whether the calling process needs a state.
        build: a module-level function that builds each worker's state.
        arguments: of `build`; tensors in shared memory stay shared.
    """

    def __init__(self, processes: int, works: bool, build: Callable[..., State], arguments: tuple[Any, ...]) -> None:
        self._processes = processes
        self._works = works
        self._build = build
        self._arguments = arguments
        self._pipes: list[Connection] = []
        self._workers: list[Any] = []
        self._threads = torch.get_num_threads()

    def __enter__(self) -> Self:
        torch.set_num_threads(1)
        keep_freed_memory()
        if self._works:
            self._state = self._build(*self._arguments)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        torch.set_num_threads(self._threads)
        self._stop()

    def _start(self, workers: int) -> None:
        """Start workers until there are so many, but never more than `processes`."""
        # Spawned, not forked: a fork after torch has started its threads can deadlock.
        context = multiprocessing.get_context("spawn")
        while len(self._workers) < min(workers, self._processes):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_serve, args=(theirs, self._build, self._arguments), daemon=True)
            worker.start()
            theirs.close()
            self._pipes.append(ours)
            self._workers.append(worker)

    def _stop(self) -> None:
        """End all workers; those that are busy are terminated after a while."""
        for pipe in self._pipes:
            pipe.close()
        deadline = time.monotonic() + _END_SECONDS
        for worker in self._workers:
            worker.join(timeout=max(0.0, deadline - time.monotonic()))
        for worker in self._workers:
            if worker.is_alive():
                worker.terminate()
        for worker in self._workers:
            worker.join()
        self._pipes, self._workers = [], []

    def _send(self, pipe: Connection, message: object) -> None:
        try:
            pipe.send(message)
        except OSError as error:
            raise WorkerError("a worker process died: run again to continue from the last checkpoint") from error

    def _receive(self, pipe: Connection) -> list[Any]:
        try:
            ok, value = pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerError("a worker process died: run again to continue from the last checkpoint") from error
        if not ok:
            raise WorkerError(f"a worker process failed: {value}")
        return list(value)


class ProcessPool(_Pool[State]):
    """Workers for tasks that take equally long, of which the calling process is one; a context manager.

    While the pool is open, torch runs one thread per process. No more processes are started than there are tasks.

    Args:
        processes: at most how many, at least 1. With 1 nothing is started.
        build: a module-level function that builds each worker's state.
        arguments: of `build`; tensors in shared memory stay shared.
    """

    def __init__(self, processes: int, build: Callable[..., State], *arguments: Any) -> None:
        super().__init__(max(1, processes) - 1, True, build, arguments)

    def start(self, tasks: int) -> None:
        """Start the workers for so many tasks, so that they do it while the calling process prepares its own work."""
        self._start(tasks - 1)

    def map(self, function: Callable[[State, Any], Result], tasks: Sequence[Any]) -> list[Result]:
        """Return `[function(state, task) for task in tasks]`; task i runs in worker i modulo their number.

        After an exception the workers are ended, and the next call starts others.

        Args:
            function: a module-level function.
            tasks: picklable values.

        Raises:
            WorkerError: a worker raised an exception or died.
        """
        self.start(len(tasks))
        try:
            return self._answers(function, tasks)
        except BaseException:
            self._stop()  # what is still to be answered must not answer the next call
            raise

    def _answers(self, function: Callable[[State, Any], Result], tasks: Sequence[Any]) -> list[Result]:
        n = len(self._pipes) + 1
        for i, pipe in enumerate(self._pipes, start=1):
            if len(tasks) > i:
                self._send(pipe, (function, tasks[i::n]))
        results: list[Any] = [None] * len(tasks)
        results[0::n] = [function(self._state, task) for task in tasks[0::n]]
        for i, pipe in enumerate(self._pipes, start=1):
            if len(tasks) > i:
                results[i::n] = self._receive(pipe)
        return results


class TaskPool(_Pool[State]):
    """Workers for tasks that take unequally long: each is given the next as soon as it is idle; a context manager.

    Tasks are given one by one, and their answers are had in the order in which they were given. The calling process
    only waits, so that no worker waits for it. No more workers are started than there are tasks.

    Args:
        processes: at most how many, at least 1. With 1 nothing is started, and the calling process works.
        build: a module-level function that builds each worker's state.
        arguments: of `build`; tensors in shared memory stay shared.
    """

    def __init__(self, processes: int, build: Callable[..., State], *arguments: Any) -> None:
        super().__init__(processes if processes > 1 else 0, processes < 2, build, arguments)
        self._submitted = self._collected = 0
        self._waiting: deque[tuple[int, Callable[[State, Any], Any], Any]] = deque()
        self._busy: dict[Connection, int] = {}
        self._answers: dict[int, Any] = {}

    def submit(self, function: Callable[[State, Any], Any], task: Any) -> None:
        """Give a task; an idle worker begins it at once, the calling process, where it works, in `collect`.

        Args:
            function: a module-level function, called with a worker's state and the task.
            task: a picklable value.

        Raises:
            WorkerError: a worker raised an exception or died. The pool can only be closed then.
        """
        self._waiting.append((self._submitted, function, task))
        self._submitted += 1
        if not self._works:
            self._start(len(self._waiting) + len(self._busy))
            self._receive_answers(timeout=0.0)
            self._give_out()

    def collect(self, waiting: Callable[[], None] | None = None) -> Any:
        """The answer to the earliest task that was not collected yet; waits for it.

        Args:
            waiting: called every second until it is there, where other processes work.

        Raises:
            WorkerError: as of `submit`.
        """
        if not self.uncollected:
            raise ValueError("no task was submitted whose answer was not collected")
        if self._works:
            number, function, task = self._waiting.popleft()
            self._answers[number] = function(self._state, task)
        while self._collected not in self._answers:
            if not self._busy and not self._waiting:
                raise WorkerError("a worker process failed before: the pool can only be closed")
            self._receive_answers(timeout=None if waiting is None else _ASIDE_SECONDS)
            self._give_out()
            if waiting is not None:
                waiting()
        answer = self._answers.pop(self._collected)
        self._collected += 1
        return answer

    @property
    def uncollected(self) -> int:
        """How many tasks were given whose answers were not collected."""
        return self._submitted - self._collected

    def _give_out(self) -> None:
        for pipe in self._pipes:
            if self._waiting and pipe not in self._busy:
                number, function, task = self._waiting.popleft()
                self._send(pipe, (function, [task]))
                self._busy[pipe] = number

    def _receive_answers(self, timeout: float | None) -> None:
        """Take the answers that are there, and wait so long for the first; a dead worker's pipe is at its end."""
        ready = wait(list(self._busy), timeout) if self._busy else []
        for pipe in [pipe for pipe in self._busy if pipe in ready]:
            self._answers[self._busy.pop(pipe)] = self._receive(pipe)[0]


def _serve(pipe: Connection, build: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Loop of a worker: ends when its parent closes the pipe, after the task at hand.

    When its parent dies it ends at once on Linux, elsewhere after the task at hand as well.
    """
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    keep_freed_memory()
    state = build(*arguments)
    while True:
        try:
            function, tasks = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[bool, Any] = (True, [function(state, task) for task in tasks])
        except Exception as error:
            answer = (False, "".join(traceback.format_exception_only(error)).strip())
        try:
            pipe.send(answer)
        except OSError:  # nobody waits for it
            return


def _die_with_parent() -> None:
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it died before
        os.kill(os.getpid(), signal.SIGKILL)
