"""Stage: from a budget of minutes to numbers of steps, by a measured throughput; decided once, and kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tinynas.errors import UsageError
from tinynas.pipeline.costs import CostModel
from tinynas.pipeline.run import (
    RunConfig,
    Steps,
    check_sections,
    configuration_digest,
    least_steps,
    steps_of,
    with_steps,
)
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._search import Search
from tinynas.pipeline.run.stages._throughput import seconds_per_step
from tinynas.pipeline.run.stages._work import works_of
from tinynas.training import training_device

PLAN = "plan.json"

_TIMED_STEPS = 8

# Of the minutes, for what is not training: calibration is over by now, candidates, quantization and the test are not.
_REST = 0.25


def planned(context: RunContext, chosen: ChosenSpace, costs: CostModel, plan: Steps | None) -> RunContext:
    """The run with the numbers of steps of its plan: that which it was given, else one for its budget of minutes.

    Throughput is measured once; after that seed and plan decide the result, and the plan is in `plan.json`, with which
    the run can be repeated elsewhere.

    Raises:
        UsageError: the minutes are too few.
        ConfigError: the configuration cannot have the planned numbers.
    """
    if plan is None and context.config.budget.minutes is None:
        return context
    result = context.run.once("plan", lambda: _plan(context, chosen, costs, plan), [PLAN])
    return replace(context, config=with_steps(context.config, result["steps"]))


def _plan(context: RunContext, chosen: ChosenSpace, costs: CostModel, given: Steps | None) -> dict[str, Any]:
    context.progress.begin("plan", 0)
    document: dict[str, Any] = {"steps": given} if given is not None else _measured(context, chosen, costs)
    context.run.write_json(PLAN, {**document, "configuration": configuration_digest(context.config)})
    steps = ", ".join(f"{name} {number:,}" for name, number in document["steps"].items())
    context.progress.end(f"steps: {steps}" + ("" if given is None else ", as given"))
    return {"steps": document["steps"]}


def _measured(context: RunContext, chosen: ChosenSpace, costs: CostModel) -> dict[str, Any]:
    """The plan for the budget of minutes, by what steps take here."""
    config = context.config
    short = replace(context, config=with_steps(config, dict.fromkeys(steps_of(config), _TIMED_STEPS)))
    seconds = seconds_per_step(short, chosen, Search(short, chosen, costs))
    on_cpu = training_device().type == "cpu"
    return plan_for(config, seconds, context.processes if on_cpu else 1, context.run.spent_seconds())


def plan_for(config: RunConfig, seconds: Mapping[str, float], processes: int, spent: float) -> dict[str, Any]:
    """Numbers of steps in the proportions of the configuration, for what is left of its minutes.

    Args:
        config: of the run.
        seconds: of a step, by the names of the numbers of steps.
        processes: how many train side by side.
        spent: seconds that the run has taken so far.

    Raises:
        UsageError: the minutes are too few; the message has the smallest number that would do.
        ConfigError: the configuration cannot have these numbers.
    """
    minutes, steps, least = config.budget.minutes, steps_of(config), least_steps(config)
    assert minutes is not None  # or there would be no plan
    needed = math.fsum(work.seconds(steps[work.steps] * seconds[work.steps], processes) for work in works_of(config))
    factor = (60 * minutes * (1 - _REST) - spent) / needed
    numbers = {name: round(factor * number) for name, number in steps.items()}
    short = [name for name in steps if numbers[name] < least[name]]
    if short:
        enough = max((least[name] - 0.5) / steps[name] for name in steps)
        raise UsageError(
            f"[budget] minutes = {minutes:g} leaves no step for {' and '.join(short)}: {spent:.0f} s are spent, and a "
            f"quarter is for what is not training; give {_minutes(spent + enough * needed)} or more and a new --out"
        )
    check_sections(with_steps(config, numbers), f"[budget] minutes = {minutes:g}")
    return {
        "steps": numbers,
        "minutes": minutes,
        "processes": processes,
        "factor": factor,
        "seconds_per_step": dict(seconds),
    }


def _minutes(seconds: float) -> int:
    """The least whole number of minutes that has more than these seconds for trainings and what comes before."""
    return math.floor(seconds / (60 * (1 - _REST))) + 1
