"""Stage: from a budget of minutes to numbers of steps, by a measured throughput; decided once, and kept."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinynas.errors import UsageError
from tinynas.graph import Graph
from tinynas.pipeline.costs import CostModel
from tinynas.pipeline.run import RunConfig, Steps, steps_of, training_options, with_steps
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.search import Candidates
from tinynas.training import Supernet, TrainingSettings, train_subnet, training_device

PLAN = "plan.json"

_DRAW = 0xB0D6
_NETWORKS = 3
_TIMED_STEPS = 8

# Of the minutes, for what is not training: calibration is over by now, candidates, quantization and the test are not.
_REST = 0.25
# Of the processors' time: processes wait for the last networks of a rung.
_BUSY = 0.85


@dataclass(frozen=True)
class Work:
    """Trainings of one kind.

    Attributes:
        steps: which of the configuration's numbers scales them.
        networks: how many trainings of so many steps; a share of one is a shorter one.
        passes: through a network, forth and back, in each step.
        batch_size: examples per step.
    """

    steps: str
    networks: float
    passes: float
    batch_size: int


def planned(context: RunContext, chosen: ChosenSpace, costs: CostModel, plan: Steps | None) -> RunContext:
    """The run with the numbers of steps of its plan: that which it was given, else one for its budget of minutes.

    Throughput is measured once, on a few networks that meet the constraints; after that seed and plan decide the
    result, and the plan is in `plan.json`, with which the run can be repeated elsewhere.

    Raises:
        UsageError: the budget is spent before anything can be trained.
    """
    if plan is None and context.config.budget.minutes is None:
        return context
    result = context.run.once("plan", lambda: _plan(context, chosen, costs, plan), [PLAN])
    return replace(context, config=with_steps(context.config, result["steps"]))


def _plan(context: RunContext, chosen: ChosenSpace, costs: CostModel, given: Steps | None) -> dict[str, Any]:
    context.progress.begin("plan", 0)
    document: dict[str, Any] = {"steps": given}
    minutes = context.config.budget.minutes
    if given is None:
        assert minutes is not None  # or there would be no plan
        document = measured_plan(context, chosen, costs, minutes)
    context.run.write_json(PLAN, document)
    steps = ", ".join(f"{name} {number:,}" for name, number in document["steps"].items())
    context.progress.end(f"steps: {steps}" + ("" if given is None else ", as given"))
    return {"steps": document["steps"]}


def measured_plan(context: RunContext, chosen: ChosenSpace, costs: CostModel, minutes: float) -> dict[str, Any]:
    """Numbers of steps in the proportions of the configuration, for what is left of so many minutes."""
    works, networks = works_of(context.config), _networks(context, chosen, costs)
    seconds = {
        batch: seconds_per_step(context, networks, batch) for batch in sorted({work.batch_size for work in works})
    }
    steps = steps_of(context.config)
    needed = sum(steps[w.steps] * w.networks * w.passes * seconds[w.batch_size] for w in works)
    started = context.run.journal.last("started")
    assert started is not None  # the first record of every run
    spent = time.time() - float(started["time"])
    left = (60 * minutes * (1 - _REST) - spent) * context.processes * _BUSY
    if left <= 0:
        raise UsageError(
            f"[budget] minutes = {minutes:g}: {spent:.0f} s went by before anything was trained, and a quarter is for "
            "what comes after; raise it"
        )
    factor = left / needed
    return {
        "steps": {name: max(1, round(factor * number)) for name, number in steps.items()},
        "minutes": minutes,
        "processes": context.processes,
        "factor": factor,
        "seconds_per_step": {str(batch): value for batch, value in seconds.items()},
    }


def works_of(config: RunConfig) -> list[Work]:
    """Everything that a run trains."""
    search, finetune, ruler_batch = config.search, config.finetune, config.finetune.batch_size
    contenders = 1 + len(config.baselines.train)
    works: list[Work] = []
    names = set(steps_of(config))
    if "supernet" in names:
        works.append(Work("supernet", 1, 2 + config.supernet.sampled_per_step, config.supernet.batch_size))
    if "evaluation" in names:
        searches = 2 if config.baselines.random_search else 1
        options = training_options(search)
        works.append(Work("evaluation", searches * search.evaluations * options.seeds, 1, options.batch_size))
        if finetune.weights == "evaluation":
            works.append(Work("evaluation", contenders - 1, 1, options.batch_size))
            ruler_batch = options.batch_size
    if "ruler" in names:
        works.append(Work("ruler", config.ruler.networks * config.ruler.seeds, 1, ruler_batch))
    if "finetune" in names:
        works.append(Work("finetune", contenders, 1, finetune.batch_size))
    if "quantization" in names:
        # A step with quantization in the loop takes 2.6 times a float step.
        works.append(Work("quantization", contenders, 2.6, finetune.batch_size))
    return works


def seconds_per_step(context: RunContext, graphs: Sequence[Graph], batch_size: int) -> float:
    """Of one process: the median step of each network, and of these the mean."""
    medians = []
    for graph in graphs:
        moments: list[float] = []

        def noted(_step: int, _steps: int, _loss: float, moments: list[float] = moments) -> None:
            moments.append(time.perf_counter())

        train_subnet(
            Supernet([graph], seed=context.config.seed, device=training_device()),
            graph,
            data=context.data.train.resized(graph.tensor(graph.inputs[0]).shape[1]),
            settings=TrainingSettings(steps=_TIMED_STEPS, batch_size=batch_size, shards=1),
            progress=noted,
        )
        medians.append(float(np.median(np.diff(moments))))
    return math.fsum(medians) / len(medians)


def _networks(context: RunContext, chosen: ChosenSpace, costs: CostModel) -> list[Graph]:
    rng = np.random.default_rng([context.config.seed, _DRAW])
    candidates = Candidates(chosen.space, lambda genotype: costs.of(chosen.architecture(genotype)).violations)
    drawn = [candidates.fresh(lambda: chosen.space.sample(rng), rng) for _ in range(_NETWORKS)]
    return [chosen.graph(genotype) for genotype in drawn]


def read_plan(path: Path, config: RunConfig) -> Steps:
    """The numbers of steps in a plan that a run wrote.

    Raises:
        UsageError: it is no plan, or of a run that trains other things.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read plan {path}: {error}") from error
    steps, wanted = document.get("steps") if isinstance(document, dict) else None, steps_of(config)
    if not isinstance(steps, dict) or not all(type(number) is int and number > 0 for number in steps.values()):
        raise UsageError(f"{path} is no plan: give the plan.json of a run with [budget] minutes")
    if set(steps) != set(wanted):
        raise UsageError(
            f"{path} plans {', '.join(sorted(steps)) or 'nothing'}, and this run trains {', '.join(sorted(wanted))}: "
            "give the plan of a run of the same configuration"
        )
    return steps
