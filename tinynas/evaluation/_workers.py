"""Processes for work on many candidates: started when there is some, ended by `close`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tinynas import training

if TYPE_CHECKING:
    from tinynas.training import TaskPool

State = TypeVar("State")
Task = TypeVar("Task")
Result = TypeVar("Result")


class Workers(Generic[State]):
    """A pool of processes that one evaluator keeps between questions.

    Candidates go to processes whole, each of which computes with one thread: a result does not depend on their number.

    Args:
        processes: how many share the work.
        build: a module-level function that builds each worker's state.
        arguments: of `build`; picklable.
    """

    def __init__(self, processes: int, build: Callable[..., State], *arguments: Any) -> None:
        self._processes = max(1, processes)
        self._build = build
        self._arguments = arguments
        self._pool: TaskPool[State] | None = None

    def map(
        self,
        function: Callable[[State, Task], Result],
        tasks: Sequence[Task],
        seen: Callable[[int, Result], None] | None = None,
    ) -> list[Result]:
        """Return `[function(state, task) for task in tasks]`; `seen` is told position and result, in order.

        After an exception, of a task or of `seen`, the processes are ended, and the next call starts others.

        Raises:
            WorkerError: a worker raised an exception or died.
            ValueError: something that was submitted is not collected yet.
        """
        if self._pool is not None and self._pool.uncollected:
            raise ValueError("collect what was submitted before asking for something else")
        for task in tasks:
            self.submit(function, task)
        results: list[Result] = []
        for position in range(len(tasks)):
            results.append(self.collect())
            if seen is not None:
                with self._closed_by_failure():
                    seen(position, results[-1])
        return results

    def submit(self, function: Callable[[State, Task], Any], task: Task) -> None:
        """Give a task to the next process that is idle. Exceptions as of `map`."""
        with self._closed_by_failure():
            if self._pool is None:
                self._pool = training.TaskPool(self._processes, self._build, *self._arguments).__enter__()
            self._pool.submit(function, task)

    def collect(self) -> Any:
        """The result of the earliest task that was submitted and not collected. Exceptions as of `map`."""
        if self._pool is None:
            raise ValueError("nothing was submitted")
        with self._closed_by_failure():
            return self._pool.collect()

    def close(self) -> None:
        """End the processes, if any were started; what was submitted and not collected is forgotten."""
        if self._pool is not None:
            self._pool.__exit__(None, None, None)
            self._pool = None

    @contextmanager
    def _closed_by_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()  # what is still to be answered must not answer what is asked next
            raise
