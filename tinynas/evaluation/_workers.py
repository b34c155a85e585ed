"""Processes for work on many candidates: started when there is some, ended by `close`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tinynas import training

if TYPE_CHECKING:
    from tinynas.training import ProcessPool

State = TypeVar("State")
Task = TypeVar("Task")
Result = TypeVar("Result")


class Workers(Generic[State]):
    """A pool of processes that one evaluator keeps between questions.

    Candidates go to processes whole, each of which computes with one thread: a result does not depend on their number.

    Args:
        processes: how many share the work, the calling one included.
        build: a module-level function that builds each worker's state.
        arguments: of `build`; picklable.
    """

    def __init__(self, processes: int, build: Callable[..., State], *arguments: Any) -> None:
        self._processes = max(1, processes)
        self._build = build
        self._arguments = arguments
        self._pool: ProcessPool[State] | None = None

    def map(
        self,
        function: Callable[[State, Task], Result],
        tasks: Sequence[Task],
        seen: Callable[[int, Result], None] | None = None,
    ) -> list[Result]:
        """Return `[function(state, task) for task in tasks]`; `seen` is told position and result as they come in.

        Raises:
            WorkerError: a worker raised an exception or died.
        """
        results: list[Result] = []
        for start in range(0, len(tasks), self._processes):
            if self._pool is None:
                self._pool = training.ProcessPool(self._processes, self._build, *self._arguments).__enter__()
            for result in self._pool.map(function, tasks[start : start + self._processes]):
                if seen is not None:
                    seen(len(results), result)
                results.append(result)
        return results

    def close(self) -> None:
        """End the processes, if any were started."""
        if self._pool is not None:
            self._pool.__exit__(None, None, None)
            self._pool = None
