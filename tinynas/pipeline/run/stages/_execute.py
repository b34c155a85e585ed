"""All stages in their order."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from tinynas.evaluation import Evaluator, TrainingEvaluator, build_evaluator
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline.costs import LatencyLimit
from tinynas.pipeline.run import Steps
from tinynas.pipeline.run.stages._candidates import measure_and_refine
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._evaluations import JournalledEvaluator, evaluation_task, forget_trainings
from tinynas.pipeline.run.stages._method_training import train_method
from tinynas.pipeline.run.stages._networks import TrainedNetwork, train_and_quantize
from tinynas.pipeline.run.stages._prepare import prepare
from tinynas.pipeline.run.stages._result import summarize
from tinynas.pipeline.run.stages._ruler import trusted_evaluator
from tinynas.pipeline.run.stages._search import Search
from tinynas.pipeline.run.stages._selection import measured_ticks, pick_contenders, unmeasured_best
from tinynas.pipeline.run.stages._supernet import initial_weights
from tinynas.pipeline.run.stages._trainings import Recipe, as_evaluated, finetuning, train_side_by_side
from tinynas.pipeline.run.stages._verification import test_accuracy, verify_on_board


def execute(context: RunContext, plan: Steps | None = None) -> dict[str, Any]:
    """Run every stage that is not finished, in order, and return the content of `result.json`."""
    prepared = prepare(context, plan)
    context, memory, chosen, limit = prepared.context, prepared.memory, prepared.chosen, prepared.costs.limit
    search = Search(context, chosen, prepared.costs)  # what it refuses, it refuses before anything is trained
    train_method(context, search.method)
    evaluator = search.method.evaluator()
    contenders = _search(context, chosen, memory, search, evaluator, limit)
    recipe = recipe_of_winner(context, chosen, search, evaluator)
    train_side_by_side(context, recipe, contenders)
    networks = _train_all(context, recipe, contenders)
    remaining = [network.contender for network in networks]
    repeated = _repeated(context, remaining)  # of a baseline that has diverged, nothing is trained again
    train_side_by_side(context, recipe, repeated)
    forget_trainings(context)
    verified = {network.contender.key: verify_on_board(context, memory, network, limit) for network in networks}
    tested = test_accuracy(context, [*networks, *_train_all(context, recipe, repeated)])
    left_out = [contender.label for contender in contenders if contender not in remaining]
    return summarize(context, chosen, remaining, verified, tested, left_out)


def _repeated(context: RunContext, contenders: list[Contender]) -> list[Contender]:
    """What is trained for the comparison over seeds, beside the contenders themselves."""
    repeats = range(1, context.config.baselines.seeds)
    return [contender.repeated(repeat) for repeat in repeats for contender in contenders]


def _train_all(context: RunContext, recipe: Recipe, contenders: list[Contender]) -> list[TrainedNetwork]:
    """All that do not diverge, quantized."""
    trained = [train_and_quantize(context, recipe, contender) for contender in contenders]
    return [network for network in trained if network is not None]


def recipe_of_winner(context: RunContext, chosen: ChosenSpace, search: Search, evaluator: Evaluator) -> Recipe:
    """How the winner and the baselines are trained."""
    if context.config.finetune.weights == "evaluation":
        assert isinstance(evaluator, TrainingEvaluator)  # or the configuration was refused
        return as_evaluated(evaluator)
    return finetuning(context, initial_weights(context, chosen, search.method))


def _search(
    context: RunContext,
    chosen: ChosenSpace,
    memory: NativeMemoryModel,
    search: Search,
    own: Evaluator,
    limit: LatencyLimit | None,
) -> list[Contender]:
    """Rounds of searching and measuring; returns the winner first, then the baselines."""
    settings = context.config.search
    with closing(_tested_evaluator(context, chosen, search, own)) as evaluator:
        context.run.identify("evaluator", evaluator.key)  # refinements of earlier rounds rest on what it said
        search.use(evaluator, counts=evaluator.key != own.key)
        # Without shared weights candidates run with random ones: what they take hardly depends on that.
        shared = search.method.supernet
        costs = search.costs
        for number in range(1, settings.rounds + 1):
            search.run_round(number, costs)
            candidates = unmeasured_best(context, search, number, settings.top_candidates)
            costs = costs.with_latency(measure_and_refine(context, chosen, shared, memory, number, candidates))
        search.recost(costs)
        return pick_contenders(context, chosen, search, evaluator, measured_ticks(context), limit)


def _tested_evaluator(context: RunContext, chosen: ChosenSpace, search: Search, own: Evaluator) -> JournalledEvaluator:
    """The method's `own`, or one that counts where a test of it says so."""
    journal = context.run.journal
    journalled = JournalledEvaluator(journal, own)
    try:
        instead = trusted_evaluator(context, chosen, journalled, search.feasible)
    except BaseException:
        own.close()
        raise
    if instead is None:
        return journalled
    own.close()
    return JournalledEvaluator(journal, build_evaluator(instead, evaluation_task(context, chosen)))
