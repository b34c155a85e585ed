"""Take a member of a run's Pareto front out, trained when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tinynas.engine import DEFAULT_PREFIX
from tinynas.pipeline._progress import Progress
from tinynas.pipeline.commands import check_target, export_network, finished_result
from tinynas.pipeline.run._conditions import Condition, parse_conditions
from tinynas.pipeline.run._config import RunConfig
from tinynas.pipeline.run._front import Figures, Member, PickError, as_built, figures_of_built, pick, read_front
from tinynas.pipeline.run._latency_limit import latency_limit
from tinynas.pipeline.run._run import open_run
from tinynas.pipeline.run._search_config import front_objectives
from tinynas.pipeline.run._winner import ResultFormatError
from tinynas.pipeline.run.storage import read_journal
from tinynas.spaces import Genotype
from tinynas.targets import load_board

if TYPE_CHECKING:
    from tinynas.pipeline.run.stages import MemberNetwork


def export_picked(
    run_directory: Path,
    out: Path,
    conditions: Sequence[str],
    *,
    prefix: str = DEFAULT_PREFIX,
    force: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the most accurate member of a run's front that meets all conditions.

    It is trained by the run's recipe, quantized, built and compared with the reference, unless that was done before:
    run directory and journal keep all of it, and a killed export goes on where it was.

    Args:
        run_directory: a finished run of a strategy of several objectives.
        out: `*.tflite` gets the int8 model, `*.onnx` the float network; any other name becomes a folder with the
            generated C, the kernels it needs and a Makefile.
        conditions: as `sram<=12KB`; several in one stand between commas.
        prefix: of the C project's names.
        force: replace what is there.
        progress: who watches.

    Returns:
        `format` and `files`, the paths that were written, and `picked`, the member with what was measured of it.

    Raises:
        ExportError: the run is not finished, or `out` exists and `force` is not given.
        ResultFormatError: another version made the run.
        PickError: the run has no front, or no member of it meets the conditions.
        UsageError: a condition cannot be read.
        RunDirectoryError: the run cannot be continued: data, space, board or program have changed.
    """
    result = finished_result(run_directory)
    check_target(out, prefix, force)
    records = read_journal(run_directory / "journal.jsonl")
    identity = next(record["identity"] for record in records if record["kind"] == "started")
    config = _config(identity["config"], run_directory)
    if not front_objectives(config.search):
        raise PickError(
            f"{run_directory}: the {result['winner']['label']} was searched for by its score alone, so there is no "
            'front to pick from; run with [search] strategy = "nsga2"'
        )
    finished = {record["work"]: record["result"] for record in records if record["kind"] == "finished"}
    measured = {tuple(r["genotype"]): float(r["ticks"]) for r in records if r["kind"] == "measured"}
    board, unit, clock_hz = load_board(config.board), result["unit"], finished["calibration"]["clock_hz"]
    asked = parse_conditions(conditions, board, unit, clock_hz)
    limit = latency_limit(config.limits, board, unit, clock_hz=clock_hz)
    kept = () if limit is None else (Condition("the limit of the run", "latency", limit.ticks, limit.unit),)
    most_flash = min((condition.most for condition in asked if condition.figure == "flash_bytes"), default=None)
    trained, verify = _trained(result), "verify "
    builds = {work.removeprefix(verify): built for work, built in finished.items() if work.startswith(verify)}
    search = json.loads((run_directory / "search.json").read_bytes())
    members = as_built(read_front(search, measured), builds, trained, most_flash)
    steps = finished["plan"]["steps"] if "plan" in finished else None
    networks: dict[int, MemberNetwork] = {}
    with open_run(config, run_directory, identity["--plan"], progress) as context:
        from tinynas.pipeline.run.stages import build_member

        def build(member: Member) -> Figures:
            network = build_member(context, member, trained, steps, most_flash)
            networks[member.number] = network
            return figures_of_built(network.built)

        member = pick(members, (*asked, *kept), build)
    network = networks[member.number]
    written = export_network(network.model, network.float_model, network.built, network.info, out, prefix)
    return written | {"picked": _picked(member, len(members), network)}


def _config(document: Mapping[str, Any], run_directory: Path) -> RunConfig:
    try:
        return RunConfig.model_validate(document)
    except ValidationError as error:
        raise ResultFormatError(f"{run_directory} was made by another version of TinyNAS: run it again") from error


def _trained(result: Mapping[str, Any]) -> dict[Genotype, str]:
    """The keys of the networks of the space that the run trained to the end."""
    entries = [result["winner"], *result["baselines"]]
    return {
        tuple(entry["genotype"]): entry["key"]
        for entry in entries
        if entry["genotype"] is not None and entry["int8_accuracy"] is not None
    }


def _picked(member: Member, members: int, network: MemberNetwork) -> dict[str, Any]:
    """The member, as `--json` has it."""
    built = network.built
    return {
        "member": member.number,
        "members": members,
        "genotype": list(member.genotype),
        "score": member.score,
        "held_out_int8_accuracy": network.held_out,
        "macs": built["macs"],
        "sram_bytes": built["sram_bytes"],
        "flash_bytes": built["flash_bytes"],
        "latency": built["ticks"],
        "latency_unit": built["unit"],
        "latency_ms": built["latency_ms"],
        "images_compared": built["images_compared"],
    }
