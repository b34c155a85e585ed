"""Runs as processes of their own that can be killed at a record of their journal."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinynas.pipeline import export_picked, run_pipeline
from tinynas.pipeline.run import load_config
from tinynas.pipeline.run.storage import Journal

# Forked from a process that has imported everything, which takes longer than such a run: one that computes nothing has
# no threads that a fork could lose.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tinynas.pipeline.run.stages"])


def finish(config: Path, out: Path) -> dict[str, Any]:
    """Run to the end; returns the result."""
    assert _exit_code(config, out, None) == 0
    result: dict[str, Any] = json.loads((out / "result.json").read_text())
    return result


def run_until_record(config: Path, out: Path, records: int) -> None:
    """Run, and die by SIGKILL as soon as so many more records are in the journal."""
    assert _exit_code(config, out, records) == -signal.SIGKILL, "the run ended before it was killed"


def export_until_record(run: Path, out: Path, conditions: list[str], records: int) -> None:
    """Export a member of the front, and die by SIGKILL as soon as so many more records are in the journal."""
    assert _exit_code_of(_export, run, out, conditions, records) == -signal.SIGKILL, "it ended before it was killed"


def _exit_code(config: Path, out: Path, records: int | None) -> int | None:
    return _exit_code_of(_run, config, out, records)


def _exit_code_of(work: Callable[..., None], *arguments: object) -> int | None:
    process = _CONTEXT.Process(target=work, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def _run(config: Path, out: Path, records: int | None) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # one processor: no workers that outlive it
    if records is not None:
        _die_after(records)
    run_pipeline(load_config(config), out)


def _export(run: Path, out: Path, conditions: list[str], records: int) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    _die_after(records)
    export_picked(run, out, conditions)


def _die_after(records: int) -> None:
    append, left = Journal.append, iter(range(records - 1, -1, -1))

    def append_and_die(journal: Journal, kind: str, **fields: Any) -> None:
        append(journal, kind, **fields)
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.append = append_and_die  # type: ignore[method-assign]


def journal(out: Path) -> list[dict[str, Any]]:
    """Every record of a run directory."""
    return [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """What two runs in two places must agree on."""
    return {key: value for key, value in result.items() if key != "artefacts"}
