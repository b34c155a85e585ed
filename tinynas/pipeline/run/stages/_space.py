"""Stage: choose the width multiplier and the resolution to search at."""

from __future__ import annotations

from typing import Any

from tinynas.pipeline.commands import ranking_json
from tinynas.pipeline.costs import SCHEDULE_KINDS, CostModel, Sampling, compare_schedules, too_small_a_space
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext

SPACE = "space.json"
SCHEDULES = "space-schedules.json"


def choose_space(context: RunContext, costs: CostModel, configurations: list[tuple[float, int]]) -> ChosenSpace:
    """Return the space at the best of `configurations`."""
    chosen = context.run.once("space", lambda: _rank(context, costs, configurations), [SPACE])
    return ChosenSpace(
        context.space, float(chosen["width"]), int(chosen["resolution"]), context.input_channels, context.classes
    )


def show_schedules(context: RunContext, costs: CostModel, configurations: list[tuple[float, int]]) -> None:
    """Rank `configurations` under every kind of schedule, for the report: memory decides, without a latency limit."""

    def compare() -> dict[str, Any]:
        context.progress.begin("other schedules", len(SCHEDULE_KINDS) * len(configurations))
        entries = compare_schedules(
            context.space,
            _sampling(context, configurations),
            context.board,
            costs.memory,
            context.reserve,
            context.progress.advance,
        )
        context.run.write_json(SCHEDULES, {"schedules": entries, "limited": costs.limit is not None})
        context.progress.end(", ".join(f"{entry['title']}: {_place(entry['chosen'])}" for entry in entries))
        return {}

    context.run.once("other schedules", compare, [SCHEDULES])


def _place(chosen: dict[str, Any] | None) -> str:
    return "nothing fits" if chosen is None else f"w{chosen['width']:g}-r{chosen['resolution']}"


def _sampling(context: RunContext, configurations: list[tuple[float, int]]) -> Sampling:
    return Sampling(
        configurations, context.config.space.samples, context.config.seed, context.input_channels, context.classes
    )


def _rank(context: RunContext, costs: CostModel, configurations: list[tuple[float, int]]) -> dict[str, Any]:
    settings = context.config.space
    context.progress.begin("search space", len(configurations))
    ranking = _sampling(context, configurations).rank(
        context.space, costs, lambda done, _total: context.progress.advance(done)
    )
    document = ranking_json(ranking)
    nothing_fitted = document["chosen"] is None
    if nothing_fitted:
        # Hardly any network fits, but the smallest one of each configuration does: search where networks are smallest.
        width, resolution = min(configurations)
        document["chosen"] = {"width": width, "resolution": resolution}
        document["criterion"] += (
            f"; none of the {settings.samples} sampled networks fitted in any configuration, so the smallest whose "
            "smallest network fits is searched"
        )
    side = max(context.data.image_shape[:2])
    too_small = too_small_a_space(context.space, configurations, costs, context.input_channels, context.classes, side)
    context.run.write_json(SPACE, {**document, "too_small": too_small, "seed": context.config.seed})
    chosen: dict[str, Any] = document["chosen"]
    context.progress.end(
        f"width {chosen['width']:g}, resolution {chosen['resolution']} of {len(configurations)} configurations"
        + (": no sampled network fitted, so the smallest is searched" if nothing_fitted else "")
        + ("" if too_small is None else f"; {too_small}")
    )
    return chosen
