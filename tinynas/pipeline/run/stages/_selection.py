"""Stage: from everything that was scored and measured to the winner and the baselines beside it."""

from __future__ import annotations

from typing import Any

from tinynas.errors import AnswerIsNo
from tinynas.evaluation import Evaluator
from tinynas.pipeline.costs import CostModel, LatencyLimit
from tinynas.pipeline.run import front_objectives
from tinynas.pipeline.run.stages._by_hand import scaled_by_hand
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._scored import Scored, pareto_front
from tinynas.pipeline.run.stages._search import RANDOM, Search
from tinynas.search import Trial
from tinynas.spaces import HAND_MADE, Genotype

SEARCH = "search.json"


class NoCandidateError(AnswerIsNo):
    """Everything that was found turned out too slow when it was measured."""


def measured_ticks(context: RunContext) -> dict[Genotype, float]:
    """Ticks of one inference of every candidate that was measured."""
    return {tuple(r["genotype"]): float(r["ticks"]) for r in context.run.journal.records("measured")}


def unmeasured_best(context: RunContext, search: Search, round_number: int, count: int) -> list[Scored]:
    """The best networks that the strategy has found so far and that no earlier round measured."""
    earlier = {
        tuple(record["genotype"])
        for record in context.run.journal.records("measured")
        if record["round"] < round_number
    }
    return [entry for entry in search.ranked(search.strategy) if entry.genotype not in earlier][:count]


def pick_contenders(
    context: RunContext,
    chosen: ChosenSpace,
    search: Search,
    evaluator: Evaluator,
    measured: dict[Genotype, float],
    limit: LatencyLimit | None,
) -> list[Contender]:
    """The winner and the baselines, and `search.json` with everything that was scored.

    Raises:
        NoCandidateError: no network meets the limit by its measurement (or, unmeasured, by the refined prediction).
    """

    def within_limit(entry: Scored) -> bool:
        return limit is None or measured.get(entry.genotype, 0.0) <= limit.ticks

    def best_within_limit(origin: str) -> Scored | None:
        return next((entry for entry in search.ranked(origin) if within_limit(entry)), None)

    winner = best_within_limit(search.strategy)
    if winner is None:
        raise NoCandidateError("no network that the search found meets the latency limit on the board: raise [limits]")
    random = best_within_limit(RANDOM)
    wanted = context.config.baselines.train
    most_macs = _most_macs(search, evaluator, needed="macs" in wanted)
    found = {"winner": winner, "random search": random, "most MACs": most_macs}
    choices = {name: choice for name, choice in found.items() if choice is not None}
    context.run.once("selection", lambda: _write_search(context, search, choices), [SEARCH])
    contenders = [_contender(chosen, "winner", f"winner ({search.strategy})", winner)]
    if "random" in wanted and random is not None and random.genotype != winner.genotype:
        contenders.append(_contender(chosen, "random", "random search", random))
    taken = {contender.genotype for contender in contenders}
    if "macs" in wanted and most_macs is not None and most_macs.genotype not in taken:
        contenders.append(_contender(chosen, "macs", "most MACs that fit", most_macs))
    return contenders + [hand for name in wanted if (hand := _hand_made(context, chosen, search.costs, name))]


def _most_macs(search: Search, evaluator: Evaluator, needed: bool) -> Scored | None:
    """The network of the most MACs as the evaluator sees it.

    None where that would take a full training that nobody asked for: the search looked at it first, at a lower
    fidelity, and did not go on with it.
    """
    trial = Trial(search.most_macs())
    known = search.score_of(trial)
    if known is None:
        if len(evaluator.fidelities) > 1 and not needed:
            return None
        known = evaluator.evaluate([trial.genotype])[0].value
    return search.entry("MACs", 0, trial, known)


def _contender(chosen: ChosenSpace, key: str, label: str, entry: Scored) -> Contender:
    return Contender(key, label, chosen.architecture(entry.genotype), entry.genotype, entry.score)


def _hand_made(context: RunContext, chosen: ChosenSpace, costs: CostModel, name: str) -> Contender | None:
    """A network scaled to the same constraints by hand; None if none of its sizes meets them, or it is another kind."""
    if name not in HAND_MADE:
        return None
    resolutions = sorted({resolution for _, resolution in context.configurations()})
    network = scaled_by_hand(name, chosen, costs.meets_all, resolutions)
    if network is None:
        return None
    label = HAND_MADE[name].label
    return Contender(name, f"{label}, scaled by hand ({network.name.removeprefix(f'{name}-')})", network)


def _write_search(context: RunContext, search: Search, choices: dict[str, Scored]) -> dict[str, Any]:
    whole = [entry for entry in search.scored if not entry.cost.violations and entry.fidelity == 1]
    front = pareto_front(whole, front_objectives(context.config.search) or ("latency", "sram_bytes"))
    latency = search.costs.latency
    context.run.write_json(
        SEARCH,
        {
            "entries": [entry.as_json() for entry in search.scored],
            "start": {name: list(genotype) for name, genotype in search.started.items()},
            "front": sorted(list(genotype) for genotype in front),
            "method": search.method.name,
            "learned": dict(search.method.learned()),
            "strategy": search.strategy,
            "evaluator": search.evaluator,
            "accuracy": search.accuracy,
            "choices": {name: entry.as_json() for name, entry in choices.items()},
            "unit": "ticks" if latency is None else latency.unit,
            "unit_name": "ticks" if latency is None else context.quantity.name,
            "seed": context.config.seed,
        },
    )
    return {"winner": list(choices["winner"].genotype), "score": choices["winner"].score}
