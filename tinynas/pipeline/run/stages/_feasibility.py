"""Stage: answered first, before anything is trained: can any network of the space run on this board?"""

from __future__ import annotations

from typing import Any

from tinynas.errors import AnswerIsNo
from tinynas.pipeline.costs import CostModel, NetworkCost
from tinynas.pipeline.run.stages._context import RunContext
from tinynas.spaces import Architecture

BUDGET = "budget.json"


class InfeasibleRun(AnswerIsNo):
    """No network of the space fits the board. The message has the nearest miss."""


def check_feasibility(context: RunContext, costs: CostModel, *, within_limit: bool = False) -> list[tuple[float, int]]:
    """Return the configurations whose smallest network fits, as (width multiplier, resolution).

    Memory is checked before anything is measured, and once more with the latency limit when `costs` can predict it.

    Raises:
        InfeasibleRun: there is none: which resource is missing, and by how many bytes, where it is closest.
    """
    work, artefacts = ("feasibility within the limit", []) if within_limit else ("feasibility", [BUDGET])
    result = context.run.once(work, lambda: _check(context, costs, artefacts), artefacts)
    if not result["feasible"]:
        raise InfeasibleRun(result["verdict"])
    return [(float(width), int(resolution)) for width, resolution in result["feasible"]]


def _check(context: RunContext, costs: CostModel, artefacts: list[str]) -> dict[str, Any]:
    configurations = context.configurations()
    context.progress.begin("feasible?", len(configurations))
    smallest: dict[tuple[float, int], NetworkCost] = {}
    for done, (width, resolution) in enumerate(configurations, start=1):
        smallest[width, resolution] = costs.of(_smallest(context, width, resolution))
        context.progress.advance(done)
    feasible = [configuration for configuration, cost in smallest.items() if not cost.violations]
    nearest = min(smallest, key=lambda configuration: smallest[configuration].excess)
    if feasible:
        verdict = f"yes: the smallest network of {len(feasible)} of {len(smallest)} configurations fits"
    else:
        verdict = (
            f"infeasible: no network of space {context.space.name!r} fits {context.board.name} and its limits. "
            f"The nearest, the smallest at width {nearest[0]:g} and resolution {nearest[1]}: "
            + smallest[nearest].shortfall
            + _with_more(context, costs, *nearest)
        )
    for name in artefacts:
        context.run.write_json(name, {"verdict": verdict, "regions": _regions(context, costs, smallest[nearest])})
    context.progress.end(verdict if feasible else "no")
    return {"feasible": [list(configuration) for configuration in feasible], "verdict": verdict}


def _smallest(context: RunContext, width: float, resolution: int) -> Architecture:
    return context.space.decode(context.space.smallest(), width, resolution, context.input_channels, context.classes)


def _with_more(context: RunContext, costs: CostModel, width: float, resolution: int) -> str:
    """Whether what the configuration does not allow would change the verdict."""
    smallest = _smallest(context, width, resolution)
    if not costs.streams and not costs.with_streams().of(smallest).violations:
        return "; with [engine] streams = true it fits"
    if not costs.patches and not costs.with_patches().of(smallest).violations:
        return "; with [engine] patches = true it fits"
    if not costs.unlinking and not costs.with_unlinking().of(smallest).violations:
        return "; with [engine] leave_out_kernels = true it fits"
    return ""


def _regions(context: RunContext, costs: CostModel, smallest: NetworkCost) -> list[dict[str, Any]]:
    """Per region: its size, the reserve, and what the smallest network leaves."""
    used = {region.name: region for region in smallest.regions}
    reserve = {
        context.board.layout.arena: context.config.reserve.sram_bytes,
        context.board.layout.code: context.config.reserve.flash_bytes,
    }
    return [
        {
            "name": region.name,
            "kind": region.kind,
            "size_bytes": region.size_bytes,
            "reserve_bytes": reserve.get(region.name, 0),
            "smallest_bytes": used[region.name].used_bytes,
            "available_bytes": used[region.name].available_bytes,
        }
        for region in context.board.regions
        if region.name in used
    ]
