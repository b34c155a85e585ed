"""Stage: choose the width multiplier and the resolution to search at."""

from __future__ import annotations

from typing import Any

from tinynas.pipeline._costs import CostModel
from tinynas.pipeline._space import ranking_json
from tinynas.pipeline.stages._context import ChosenSpace, RunContext
from tinynas.spaces import optimize_space

SPACE = "space.json"


def choose_space(context: RunContext, costs: CostModel, configurations: list[tuple[float, int]]) -> ChosenSpace:
    """Return the space at the best of `configurations`."""
    chosen = context.run.once("space", lambda: _rank(context, costs, configurations), [SPACE])
    return ChosenSpace(
        context.space, float(chosen["width"]), int(chosen["resolution"]), context.input_channels, context.classes
    )


def _rank(context: RunContext, costs: CostModel, configurations: list[tuple[float, int]]) -> dict[str, Any]:
    settings = context.config.space
    context.progress.begin("search space", len(configurations))
    ranking = optimize_space(
        context.space,
        configurations,
        settings.samples,
        costs.fits,
        context.config.seed,
        progress=lambda done, _total: context.progress.advance(done),
        input_channels=context.input_channels,
        classes=context.classes,
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
    context.run.write_json(SPACE, {**document, "seed": context.config.seed})
    chosen: dict[str, Any] = document["chosen"]
    context.progress.end(
        f"width {chosen['width']:g}, resolution {chosen['resolution']} of {len(configurations)} configurations"
        + (": no sampled network fitted, so the smallest is searched" if nothing_fitted else "")
    )
    return chosen
