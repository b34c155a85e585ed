"""A run from configuration to result: opens the run directory and hands it to the stages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinynas import __version__
from tinynas.errors import MissingExtraError
from tinynas.evaluation import evaluator_versions
from tinynas.memory import firmware_hash
from tinynas.pipeline._progress import Progress, SilentProgress
from tinynas.pipeline.report import write_report
from tinynas.pipeline.run._config import RunConfig
from tinynas.pipeline.run._latency_limit import latency_limit, quantity_of_run
from tinynas.pipeline.run._plan_file import read_plan
from tinynas.pipeline.run.storage import RunDirectory
from tinynas.search import method_versions, strategy_versions
from tinynas.spaces import SearchSpace, load_space, space_versions
from tinynas.targets import load_board

if TYPE_CHECKING:
    from tinynas.pipeline.run.stages import RunContext


def run_pipeline(
    config: RunConfig, directory: Path, *, plan: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Search, train, quantize, build and measure; continue where an earlier process stopped.

    Args:
        config: what to search; the same for every process that works on `directory`.
        directory: the run directory, new or of an unfinished run of the same configuration.
        plan: `plan.json` of a run of this configuration, seed and budget aside, to take as many steps as that did.
        progress: who watches.

    Returns:
        The content of `result.json`: winner, baselines, and where the artefacts are.

    Raises:
        MissingExtraError: torch is not installed.
        AnswerIsNo: no network of the space fits; the message has the nearest miss.
        TinyNASError: anything else that a user can cause or meet.
    """
    steps = None if plan is None else read_plan(plan, config)
    given = "none" if steps is None else ", ".join(f"{name} {number}" for name, number in steps.items())
    with open_run(config, directory, given, progress) as context:
        if context.run.finished("result") is not None:
            return _finished_result(context.run)
        from tinynas.pipeline.run.stages import execute

        return execute(context, steps)


_ADDED = {"decided_by": "went by instructions on virtual boards"}
"""Parts of a run's identity that earlier versions did not have, and what those did."""


@contextmanager
def open_run(config: RunConfig, directory: Path, plan: str, progress: Progress | None) -> Iterator[RunContext]:
    """What the stages of a run are given; nobody else may open its directory meanwhile.

    Args:
        config: of the run.
        directory: the run directory, new or of a run of the same configuration, finished or not.
        plan: the steps that the run was told to take, in words.
        progress: who watches.

    Raises:
        MissingExtraError: torch is not installed.
        ConfigError: the latency limit is in what nobody knows of the board; the directory is not touched.
        RunDirectoryError: the directory belongs to another run, or is in use.
        TinyNASError: board, space or data are not there, or damaged.
    """
    if find_spec("torch") is None:
        raise MissingExtraError("torch", "training")
    from tinynas.pipeline.run.stages import RunContext, load_data

    board = load_board(config.board)
    quantity = quantity_of_run(config, board)
    latency_limit(config.limits, board, quantity)
    space = load_space(config.space.name)
    data = load_data(config)
    identity = {
        "tinynas": __version__,
        "plugins": plugin_versions(config, space),
        "firmware": firmware_hash(),
        "config": config.model_dump(mode="json"),
        "--plan": plan,
        "board": board.model_dump(mode="json"),
        "decided_by": {"unit": quantity.unit, "cycles_each": quantity.cycles_each},
        "space": space.definition(),
        "data": {"train": data.train.digest(), "test": data.test.digest()},
    }
    with RunDirectory(directory, identity, _ADDED) as run:
        yield RunContext(config, board, space, data, run, progress or SilentProgress(), available_processors())


def plugin_versions(config: RunConfig, space: SearchSpace) -> dict[str, str]:
    """The versions of the distributions whose plugins a run uses, by their names."""
    search = config.search
    return {
        **space_versions(config.space.name, space),
        **method_versions(search.method),
        **strategy_versions(search.strategy),
        **evaluator_versions(search.evaluator, search.evaluator_options),
    }


def _finished_result(run: RunDirectory) -> dict[str, Any]:
    """The result of a finished run, with its report.

    The report is written after the result is journalled, so a process may have died between the two: then it is
    missing, or one of the unfinished run, older than the result.
    """
    report, document = run.file("report.html"), run.file("result.json")
    if not report.is_file() or report.stat().st_mtime_ns < document.stat().st_mtime_ns:
        write_report(run.path, report)
    result: dict[str, Any] = run.read_json("result.json")
    return result


def available_processors() -> int:
    """Processors this process may use: the affinity mask counts, not the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
