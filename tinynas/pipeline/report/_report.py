"""The report of a run: one self-contained HTML file, made from the artefacts of the run directory alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from tinynas import __version__
from tinynas.errors import UsageError
from tinynas.pipeline.report._sections import (
    architecture_section,
    comparison_section,
    kernels_section,
    latency_section,
    memory_section,
    ruler_section,
    schedules_section,
    search_section,
    space_section,
)
from tinynas.pipeline.run import read_result
from tinynas.pipeline.run.storage import Record, read_journal, write_atomically


class ReportError(UsageError):
    """There is no run to report on."""


def write_report(run_directory: Path, out: Path | None = None) -> Path:
    """Write the report of a run, finished or not, and return its path.

    Args:
        run_directory: where `tinynas run` keeps its results.
        out: the HTML file; `report.html` in the run directory by default.

    Raises:
        ReportError: `run_directory` holds no run.
        ResultFormatError: another version finished the run.
        StorageError: the file cannot be written.
    """
    path = out if out is not None else run_directory / "report.html"
    write_atomically(path, render_report(run_directory).encode())
    return path


def render_report(run_directory: Path) -> str:
    """The report as HTML text. Sections whose artefacts do not exist yet are left out."""
    import jinja2

    journal = run_directory / "journal.jsonl"
    if not journal.is_file():
        raise ReportError(f"{run_directory} holds no run: give the directory that `tinynas run` named")
    records = _of_the_run(read_journal(journal))
    identity = next(record["identity"] for record in records if record["kind"] == "started")
    config = identity["config"]
    result = read_result(run_directory)
    title = f"{Path(config['data']['dataset']).stem} on {identity['board']['name']}"
    template = resources.files("tinynas.pipeline.report") / "templates/report.html.j2"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        title=title,
        subtitle=f"{identity['board']['description']} ({identity['board']['mcu']}), seed {config['seed']}",
        version=__version__,
        config=config,
        plan=_read(run_directory, "plan.json"),
        config_text=json.dumps(config, indent=1),
        result=result,
        comparison=comparison_section(result),
        genotype=None if result is None else result["winner"]["genotype"],
        budget=_read(run_directory, "budget.json"),
        space=space_section(_read(run_directory, "space.json")),
        schedules=schedules_section(_read(run_directory, "space-schedules.json")),
        ruler=ruler_section(_read(run_directory, "ruler.json")),
        search=search_section(_read(run_directory, "search.json"), result),
        memory=memory_section(run_directory, result),
        kernels=kernels_section(result),
        latency=latency_section(records, _read(run_directory, "winner/measurement.json")),
        verdicts=[record for record in records if record["kind"] == "verdict"],
        architecture=architecture_section(result),
        stages=_stages(records),
    )


def _read(run_directory: Path, name: str) -> Any:
    path = run_directory / name
    return json.loads(path.read_bytes()) if path.is_file() else None


def _of_the_run(records: list[Record]) -> list[Record]:
    """Without what was journalled after the result: members of the front that were exported since."""
    last = next((i for i, r in enumerate(records) if r["kind"] == "finished" and r["work"] == "result"), len(records))
    return records[: last + 1]


def _stages(records: list[Record]) -> list[Mapping[str, Any]]:
    finished = [record for record in records if record["kind"] == "finished"]
    return [{"work": r["work"], "seconds": r["seconds"], "artefacts": sorted(r["artefacts"])} for r in finished]
