"""A pool of processes that work on one state: how training and scoring use several cores.

Small networks gain little from threads inside one operator; whole shards of a batch in processes of one thread each
scale almost linearly. Tasks go to processes by their position, results come back in order, and every process computes
with one thread, so the results do not depend on the number of processes.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Generic, TypeVar

import torch
import torch.multiprocessing as multiprocessing

from tinynas.errors import ExternalError

State = TypeVar("State")
Result = TypeVar("Result")


# glibc's malloc.h: parameters of mallopt.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEEP_BYTES = 1 << 30


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


class ProcessPool(Generic[State]):
    """`processes` workers, of which the calling process is one; a context manager.

    Args:
        processes: how many, at least 1. With 1 nothing is started.
        build: a module-level function that builds each worker's state.
        arguments: of `build`; tensors in shared memory stay shared.

    While the pool is open, torch runs one thread per process.
    """

    def __init__(self, processes: int, build: Callable[..., State], *arguments: Any) -> None:
        self._processes = max(1, processes)
        self._build = build
        self._arguments = arguments
        self._pipes: list[Connection] = []
        self._workers: list[Any] = []
        self._threads = torch.get_num_threads()

    def __enter__(self) -> ProcessPool[State]:
        # Spawned, not forked: a fork after torch has started its threads can deadlock.
        context = multiprocessing.get_context("spawn")
        for _ in range(self._processes - 1):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_serve, args=(theirs, self._build, self._arguments), daemon=True)
            worker.start()
            theirs.close()
            self._pipes.append(ours)
            self._workers.append(worker)
        torch.set_num_threads(1)
        keep_freed_memory()
        self._state = self._build(*self._arguments)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        torch.set_num_threads(self._threads)
        for pipe in self._pipes:
            pipe.close()
        for worker in self._workers:
            worker.join(timeout=5)
            if worker.is_alive():
                worker.terminate()
                worker.join()

    def map(self, function: Callable[[State, Any], Result], tasks: Sequence[Any]) -> list[Result]:
        """Return `[function(state, task) for task in tasks]`; task i runs in worker i modulo their number.

        Args:
            function: a module-level function.
            tasks: picklable values.

        Raises:
            WorkerError: a worker raised an exception or died.
        """
        n = self._processes
        for i, pipe in enumerate(self._pipes, start=1):
            if len(tasks) > i:
                self._send(pipe, (function, tasks[i::n]))
        results: list[Any] = [None] * len(tasks)
        results[0::n] = [function(self._state, task) for task in tasks[0::n]]
        for i, pipe in enumerate(self._pipes, start=1):
            if len(tasks) > i:
                results[i::n] = self._receive(pipe)
        return results

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


def _serve(pipe: Connection, build: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Loop of a worker: ends when its parent closes the pipe or dies."""
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
        pipe.send(answer)
