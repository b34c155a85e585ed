"""Stage: the search tests its own ruler: does the evaluator rank networks better than counting does?"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.evaluation import Agreement, QueuedEvaluator, TrainingEvaluator, TrainingOptions, agreement
from tinynas.graph import DType, count_macs, count_params
from tinynas.pipeline.run import COUNTING, training_options
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._evaluations import JournalledEvaluator, evaluation_task
from tinynas.spaces import Genotype

RULER = "ruler.json"

_DRAW, _TRUTH = 0x4B1E, 0x7807
_POOL = 40  # random networks for each that is tested, among which there are some of about equal MACs


def trusted_evaluator(
    context: RunContext,
    chosen: ChosenSpace,
    evaluator: QueuedEvaluator,
    feasible: Callable[[np.random.Generator], Genotype],
) -> str | None:
    """Test the evaluator, and say what to search by where it does not rank better than counting.

    Networks that meet the constraints, in groups of about equal MACs, are scored by the evaluator at its lowest
    fidelity and trained longer, several times each. Kendall's tau with the mean of these trainings, overall and within
    the groups, is in `ruler.json`; what decides is the mean of the two.

    Args:
        context: of the run; `[ruler]` has the numbers.
        chosen: space, width and resolution.
        evaluator: the search's own.
        feasible: draws a network that meets the constraints.

    Returns:
        None if the evaluator is to be used, or if nothing is tested; else the better of the evaluators that count.
    """
    settings = context.config.ruler
    if settings.networks == 0:
        return None
    result = context.run.once("ruler", lambda: _test(context, chosen, evaluator, feasible), [RULER])
    instead: str | None = result["instead"]
    return instead


def _test(
    context: RunContext,
    chosen: ChosenSpace,
    evaluator: QueuedEvaluator,
    feasible: Callable[[np.random.Generator], Genotype],
) -> dict[str, Any]:
    settings = context.config.ruler
    context.progress.begin("ruler", 2 * settings.networks)
    genotypes, groups = _drawn(context, chosen, feasible)
    fidelity = evaluator.fidelities[0]
    told = evaluator.evaluate(genotypes, fidelity, lambda i, _: context.progress.advance(i + 1))
    # Of another seed: with the evaluator's own, its answers would be part of the truth that they are held against.
    task = replace(evaluation_task(context, chosen), seed=context.config.seed + _TRUTH, keeps_trained=False)
    with closing(JournalledEvaluator(context.run.journal, TrainingEvaluator(task, longer_training(context)))) as longer:
        truth = longer.evaluate(genotypes, progress=lambda i, _: context.progress.advance(len(genotypes) + i + 1))
    graphs = [chosen.graph(genotype, DType.INT8) for genotype in genotypes]
    values = {
        evaluator.name: [estimate.value for estimate in told],
        "macs": [float(count_macs(graph)) for graph in graphs],
        "parameters": [float(count_params(graph)) for graph in graphs],
    }
    worth = np.array([estimate.value for estimate in truth])
    found = {name: agreement(np.array(column), worth, groups) for name, column in values.items()}
    best = max(COUNTING, key=lambda name: _decisive(found[name]))
    instead = None if _decisive(found[evaluator.name]) > _decisive(found[best]) else best
    context.run.write_json(
        RULER,
        {
            "evaluator": evaluator.name,
            "fidelity": fidelity,
            "used": instead or evaluator.name,
            "steps": settings.steps,
            "seeds": settings.seeds,
            "groups": [group.tolist() for group in groups],
            "genotypes": [list(genotype) for genotype in genotypes],
            "truth": worth.tolist(),
            "values": values,
            "agreement": {name: _json(one) for name, one in found.items()},
            "seed": context.config.seed,
        },
    )
    context.progress.end(
        ", ".join(f"{name} {one.overall.value:.2f} / {one.within.value:.2f}" for name, one in found.items())
        + f" (tau, overall / at equal MACs): the search is by {instead or evaluator.name}"
    )
    return {"instead": instead}


def _decisive(found: Agreement) -> float:
    return float(found.overall.value + found.within.value) / 2


def _json(found: Agreement) -> dict[str, list[float]]:
    """Value, and the ends of the 90 % interval."""
    return {
        name: [interval.value, interval.low, interval.high]
        for name, interval in (("overall", found.overall), ("within", found.within))
    }


def longer_training(context: RunContext) -> TrainingOptions:
    """Trainings like the winner's, of the ruler's length."""
    settings, search, finetune = context.config.ruler, context.config.search, context.config.finetune
    if finetune.weights == "evaluation":
        given = training_options(search).model_dump()
    else:
        given = {
            "batch_size": finetune.batch_size,
            "optimizer": finetune.optimizer,
            "learning_rate": finetune.learning_rate,
            "label_smoothing": finetune.label_smoothing,
            "recalibration_images": search.recalibration_images,
        }
    given |= {
        "steps": settings.steps,
        "seeds": settings.seeds,
        "fidelities": (1.0,),
        "validation_images": len(context.data.validation),
    }
    return TrainingOptions.model_validate(given)


def _drawn(
    context: RunContext, chosen: ChosenSpace, feasible: Callable[[np.random.Generator], Genotype]
) -> tuple[list[Genotype], list[npt.NDArray[np.intp]]]:
    """Networks, and the positions of those of about equal MACs: of many random ones, in order, the middle of parts."""
    settings = context.config.ruler
    rng = np.random.default_rng([context.config.seed, _DRAW])
    pool = sorted(
        {feasible(rng) for _ in range(_POOL * settings.networks)},
        key=lambda genotype: (count_macs(chosen.graph(genotype, DType.INT8)), genotype),
    )
    groups = max(1, min(settings.groups, len(pool) // 2))  # no pair, no rank
    sizes = [len(part) for part in np.array_split(np.arange(min(settings.networks, len(pool))), groups)]
    genotypes: list[Genotype] = []
    for part, size in zip(np.array_split(np.arange(len(pool)), groups), sizes, strict=True):
        start = int(part[0]) + (len(part) - size) // 2
        genotypes += pool[start : start + size]
    return genotypes, np.split(np.arange(len(genotypes)), np.cumsum(sizes)[:-1])
