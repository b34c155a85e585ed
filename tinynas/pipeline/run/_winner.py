"""The result of a finished run: exported code and the report show what was built and measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinynas.errors import UsageError
from tinynas.graph import Graph
from tinynas.kernels import CATALOGUE, InstructionSet
from tinynas.lowering import Lowering, PatchPlan, Schedule, StreamPlan
from tinynas.pipeline.costs import with_kernels

RESULT = "result.json"

RESULT_FORMAT = 1
"""Of `result.json`. It grows when a key that is read changes its meaning or goes; results without one are older."""

_READ = frozenset({"winner", "baselines", "model_info", "test_images", "transport", "unit"})
_READ_OF_WINNER = frozenset({
    "arena_available_bytes",
    "blocks",
    "genotype",
    "images_compared",
    "latency_basis",
    "latency_ms",
    "latency_unit",
    "regions",
})  # fmt: skip
"""What export and report read: a result without a format number that has these is as good as one with it."""


class ResultFormatError(UsageError):
    """The result of a run was written by another version."""


def read_result(run_directory: Path) -> dict[str, Any] | None:
    """The content of `result.json`, or None where the run has not come so far.

    Raises:
        ResultFormatError: another version wrote it, in another form.
    """
    path = run_directory / RESULT
    if not path.is_file():
        return None
    try:
        result = json.loads(path.read_bytes())
    except ValueError:
        raise ResultFormatError(f"{path} is damaged: restore it, or run it again in a new --out") from None
    if not _readable(result):
        raise ResultFormatError(f"{path} was made by another version of TinyNAS: run it again")
    document: dict[str, Any] = result
    return document


def schedule_as_built(built: Mapping[str, Any], graph: Graph) -> Schedule:
    """The schedule of a network that a run built, with the kernels that were chosen for it.

    Args:
        built: how it is executed: `winner` in `result.json`, or what was measured of a member of the front.
        graph: the int8 network.

    Raises:
        VariantError: another version chose a kernel that this one does not have.
    """
    # Older results name no patches, no streams, no instruction set, no limit of the arena and no kernels.
    patches, kernels = (built.get(key) for key in ("patches", "kernels"))
    try:
        instruction_set = InstructionSet(built.get("instruction_set", InstructionSet.DSP))
        limit, unlinked = built.get("arena_limit_bytes"), built.get("unlinked", ())
        if not isinstance(unlinked, list | tuple) or not set(unlinked) <= CATALOGUE.keys():
            raise ValueError(f"unlinked kernels {unlinked!r}")
        lowering = Lowering(instruction_set, arena_bytes=limit, unlinked=frozenset(unlinked))
        streams = tuple(StreamPlan(**{**plan, "rows": tuple(plan["rows"])}) for plan in built.get("streams", ()))
        schedule = lowering(graph, None if patches is None else PatchPlan(**patches), streams)
        return schedule if kernels is None else with_kernels(schedule, kernels)
    except (ValueError, KeyError, TypeError) as error:
        raise ResultFormatError(
            f"{RESULT}: cannot tell how the network is executed ({error}); another version of TinyNAS wrote it, or "
            "somebody else: run `tinynas run` again in a new folder"
        ) from error


def _readable(result: Any) -> bool:
    if not isinstance(result, dict) or result.get("format", RESULT_FORMAT) != RESULT_FORMAT:
        return False
    winner = result.get("winner")
    return isinstance(winner, dict) and result.keys() >= _READ and winner.keys() >= _READ_OF_WINNER
