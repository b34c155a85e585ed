"""Take a member of a run's Pareto front out, trained when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tinynas.engine import DEFAULT_PREFIX
from tinynas.pipeline._progress import Progress
from tinynas.pipeline.commands import check_target, export_network, finished_result
from tinynas.pipeline.costs import LatencyLimit
from tinynas.pipeline.run._conditions import Condition, parse_conditions
from tinynas.pipeline.run._config import RunConfig
from tinynas.pipeline.run._front import Figures, Member, PickError, figures_of_built, pick, read_front, would_be_built
from tinynas.pipeline.run._latency_limit import latency_limit
from tinynas.pipeline.run._run import open_run
from tinynas.pipeline.run._search_config import SearchConfig, front_objectives
from tinynas.pipeline.run._winner import RESULT, ResultFormatError
from tinynas.pipeline.run.storage import RunDirectory, read_journal
from tinynas.spaces import Genotype

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
    label = finished_result(run_directory)["winner"]["label"]
    check_target(out, prefix, force)
    config, plan = _started(run_directory)
    if not front_objectives(config.search):
        raise PickError(
            f"{run_directory}: the {label} was searched for by its score alone, so there is no "
            'front to pick from; run with [search] strategy = "nsga2"'
        )
    networks: dict[int, MemberNetwork] = {}
    with open_run(config, run_directory, plan, progress) as context:
        from tinynas.pipeline.run.stages import build_member, predict_member, prepare

        run, board = context.run, context.board
        with _of_this_version(run_directory):
            found, result = _kept(run, "selection", "search.json"), _kept(run, "result", RESULT)
            front, trained = read_front(found), _trained(result)
            clock_hz = _finished(run, "calibration")["clock_hz"]
            builds = {genotype: _finished(run, f"verify {key}") for genotype, key in trained.items()}
            steps = None if run.finished("plan") is None else _finished(run, "plan")["steps"]
        asked = parse_conditions(conditions, board, context.quantity, clock_hz)
        limit = latency_limit(config.limits, board, context.quantity, clock_hz=clock_hz)
        kept = () if limit is None else (_as_condition(limit),)
        most_flash = min((condition.most for condition in asked if condition.figure == "flash_bytes"), default=None)
        prepared = prepare(context, steps)

        def build(member: Member) -> Figures:
            network = build_member(prepared, member, trained, most_flash)
            networks[member.number] = network
            return figures_of_built(network.built)

        members = would_be_built(front, lambda member: predict_member(prepared, member, most_flash), builds, most_flash)
        member = pick(members, (*asked, *kept), build)
    network = networks[member.number]
    written = export_network(network.model, network.float_model, network.built, network.info, out, prefix)
    return written | {"picked": _picked(member, len(members), network)}


@contextmanager
def _of_this_version(run_directory: Path) -> Iterator[None]:
    """What is missing in a run was not written by this version."""
    try:
        yield
    except (KeyError, TypeError, ValidationError) as error:
        raise ResultFormatError(f"{run_directory} was made by another version of TinyNAS: run it again") from error


def _started(run_directory: Path) -> tuple[RunConfig, str]:
    """The configuration that a run was started with, and the plan, in words.

    The journal has all keys, given or not. One that has its default counts as not given: some are checked only where
    they are.
    """
    records = read_journal(run_directory / "journal.jsonl")
    identity: Any = next((record.get("identity") for record in records if record["kind"] == "started"), None)
    with _of_this_version(run_directory):
        config = dict(identity["config"])
        defaults = SearchConfig().model_dump(mode="json")
        config["search"] = {
            key: value for key, value in config["search"].items() if key not in defaults or value != defaults[key]
        }
        return RunConfig.model_validate(config), identity["--plan"]


def _kept(run: RunDirectory, work: str, name: str) -> dict[str, Any]:
    """An artefact, as finished `work` wrote it."""
    _finished(run, work)
    document: dict[str, Any] = run.read_json(name)
    return document


def _finished(run: RunDirectory, work: str) -> dict[str, Any]:
    result = run.finished(work)
    if result is None:
        raise KeyError(work)
    return result


def _as_condition(limit: LatencyLimit) -> Condition:
    text = f"{limit.unit}<={limit.ticks:,.0f} (the limit of the run)"
    return Condition(text, "latency", limit.ticks, limit.unit)


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
        "latency_basis": built["latency_basis"],
        "images_compared": built["images_compared"],
    }
