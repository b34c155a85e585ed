"""The search stage with every strategy: budgets, hard and soft constraints, replay, and what is found by whom."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinynas.evaluation import Estimate, EvaluationProgress, Evaluator
from tinynas.latency import latency_model_path, load_latency_model
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.costs import CostModel, LatencyLimit
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.storage import Journal, RunDirectory
from tinynas.search import BaseStrategy, InfeasibleError, StrategyError, Trial, build_strategy, list_strategies
from tinynas.spaces import Genotype, load_space, nearest_member
from tinynas.targets import Reserve, load_board
from tinynas.training import Dataset, Split

pytest.importorskip("torch")

from tinynas.pipeline.run.stages import _by_hand, _counted
from tinynas.pipeline.run.stages._by_hand import scaled_by_hand
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._evaluations import JournalledEvaluator
from tinynas.pipeline.run.stages._scored import Scored
from tinynas.pipeline.run.stages._search import Search

STRATEGIES = [listed.name for listed in list_strategies() if listed.source == "tinynas"]

SPACE = load_space("mobile-tiny")


def _worth(genotype: Genotype, fidelity: float) -> float:
    noise = np.random.default_rng([*genotype, int(100 * fidelity)]).normal(0, 0.1 * (1 - fidelity))
    return float(fidelity - 1 / (2 + np.sqrt(np.sum(genotype))) + noise)


class Landscape:
    """An evaluator: more of everything is better, with diminishing returns; short trainings rank by chance, too."""

    name = key = "landscape"

    def __init__(self, fidelities: tuple[float, ...] = (1.0,)) -> None:
        self.fidelities = fidelities
        self.asked: list[tuple[Genotype, float]] = []

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        assert fidelity in self.fidelities
        self.asked += [(genotype, fidelity) for genotype in genotypes]
        estimates = [Estimate(_worth(genotype, fidelity), deviation=0.01) for genotype in genotypes]
        for position, estimate in enumerate(estimates):
            if progress is not None:
                progress(position, estimate)
        return estimates

    def close(self) -> None:
        pass


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Search]]:
    """Makes the stage for a configuration of `[search]`."""
    monkeypatch.setattr(_counted, "_EVALUATIONS", 100)
    board = load_board("nucleo-f303k8")
    split = Split(np.zeros((2, 16, 16, 1), np.uint8), np.arange(2))
    data = Dataset("own", split, split, split, ("a", "b"))
    costs = CostModel(
        board,
        NativeMemoryModel.for_board(board),
        Reserve(),
        load_latency_model(latency_model_path(board.core.name, "zig")),
        LatencyLimit(1e6, "instructions"),
    )
    chosen = ChosenSpace(SPACE, 0.5, 16, 1, 2)
    with RunDirectory(tmp_path, {}) as run:

        def make(baselines: Mapping[str, Any] | None = None, **settings: Any) -> Search:
            config = RunConfig.model_validate(
                {
                    "board": board.name,
                    "data": {"dataset": "own"},
                    "search": {"evaluations": 24, **settings},
                    "baselines": baselines or {},
                }
            )
            return Search(RunContext(config, board, SPACE, data, run, SilentProgress(), 1), chosen, costs)

        yield make


def use(search: Search, evaluator: Evaluator) -> None:
    """Score by this evaluator, with a journal of its own: another search asks everything anew."""
    folder = Path(tempfile.mkdtemp(dir=search._context.run.path))
    search.use(JournalledEvaluator(Journal(folder / "journal.jsonl"), evaluator))


def run_rounds(search: Search, evaluator: Landscape | None = None) -> list[Scored]:
    use(search, evaluator or Landscape())
    for number in (1, 2):
        search.run_round(number, search.costs)
    return search.scored


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "grid"])
def test_a_strategy_gets_its_budget_and_meets_the_hard_constraints(strategy: str, stage: Callable[..., Search]) -> None:
    search = stage(strategy=strategy, population=6)
    scored = run_rounds(search)
    for origin in {strategy, "random"}:
        mine = [entry for entry in scored if entry.origin == origin]
        assert len(mine) == 24
        assert len({entry.genotype for entry in mine}) == 24
        assert mine[0].genotype == search.most_macs()
    assert all(entry.cost.violations == () for entry in scored)
    assert {entry.round for entry in scored} == {1, 2}
    ranked = search.ranked(strategy)
    assert ranked[0].score == max(entry.score for entry in scored if entry.origin == strategy)
    # What is asked follows from seed and scores: so does the whole search, after any interruption.
    assert run_rounds(stage(strategy=strategy, population=6)) == scored


@pytest.mark.parametrize("strategy", ["successive-halving", "hyperband", "bohb", "tpe"])
def test_the_budget_counts_full_trainings_and_the_best_is_of_the_highest_fidelity(
    strategy: str, stage: Callable[..., Search]
) -> None:
    fidelities = (0.25, 0.5, 1.0)
    search = stage(strategy=strategy)
    scored = run_rounds(search, Landscape(fidelities))
    mine = [entry for entry in scored if entry.origin == strategy]
    spent = sum(entry.fidelity for entry in mine)
    assert 24 <= spent < 25  # the last one may end beyond it
    assert {entry.fidelity for entry in mine} == ({1.0} if strategy == "tpe" else set(fidelities))
    ranked = search.ranked(strategy)
    full = [entry for entry in mine if entry.fidelity == 1]
    assert ranked[: len(full)] == sorted(full, key=lambda e: (-e.worth, e.cost.macs, e.genotype))
    assert len({entry.genotype for entry in ranked}) == len(ranked)
    assert all(entry.fidelity == 1 for entry in scored if entry.origin == "random")


@pytest.mark.parametrize("window", [1, 3])
def test_what_is_asked_rests_on_all_results_but_the_last_ones(window: int, stage: Callable[..., Search]) -> None:
    search = stage({"random_search": False, "train": []}, strategy="evolution", window=window)
    use(search, Landscape())
    (strategy,) = search._strategies.values()
    assert isinstance(strategy, BaseStrategy)
    ask, told = strategy.ask, []

    def counting() -> Trial:
        told.append(len(strategy.scored))
        return ask()

    strategy.ask = counting  # type: ignore[method-assign]
    search.run_round(1, search.costs)
    assert told == [max(0, number - window + 1) for number in range(12)]


@pytest.mark.parametrize("strategy", ["successive-halving", "predictor-halving"])
def test_what_is_under_way_moves_up_after_the_last_network_was_asked(
    strategy: str, stage: Callable[..., Search], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer networks meet the constraints than the lowest rung has room for."""
    search = stage({"random_search": False, "train": []}, strategy=strategy)
    rng = np.random.default_rng(0)
    few = {search.feasible(rng) for _ in range(10)}
    monkeypatch.setattr(search, "violations", lambda genotype: () if genotype in few else ("too large",))
    search._problem = replace(search._problem, constraint=search.violations, initial=())
    search.method = SimpleNamespace(  # type: ignore[assignment]
        origin=strategy,
        strategy=lambda fidelities: build_strategy(strategy, replace(search._problem, fidelities=fidelities), 0),
    )
    use(search, Landscape((0.25, 1.0)))
    search.run_round(1, search.costs)
    asked = [entry.fidelity for entry in search.scored]
    assert asked.count(0.25) == len(few)
    assert asked.count(1.0) > 0


def test_without_random_search_nothing_else_is_asked(stage: Callable[..., Search]) -> None:
    evaluator = Landscape()
    search = stage({"random_search": False, "train": []}, strategy="tpe")
    beside = run_rounds(stage(strategy="tpe"))
    assert run_rounds(search, evaluator) == [entry for entry in beside if entry.origin == "tpe"]
    assert len(evaluator.asked) == 24
    assert search.best("random") is None


def test_random_search_alone_is_searched_once(stage: Callable[..., Search]) -> None:
    evaluator = Landscape()
    search = stage(strategy="random")
    run_rounds(search, evaluator)
    assert len(evaluator.asked) == 24
    assert search.best("random") == search.ranked(search.strategy)[0]


def test_a_grid_larger_than_its_budget_is_refused_before_anything_is_scored(stage: Callable[..., Search]) -> None:
    with pytest.raises(StrategyError, match="24"):
        stage(strategy="grid")


@pytest.mark.parametrize("form", ["product", "sum"])
@pytest.mark.parametrize("cost", ["latency", "macs", "sram_bytes", "flash_bytes"])
def test_a_soft_constraint_ranks_by_what_it_makes_of_the_score(
    form: str, cost: str, stage: Callable[..., Search]
) -> None:
    plain = run_rounds(stage())
    nothing = stage(soft_constraint={"cost": cost, "target": 1e5, "weight": 0, "form": form})
    assert run_rounds(nothing) == plain
    assert nothing.best("evolution") == max(
        (entry for entry in plain if entry.origin == "evolution"), key=lambda entry: (entry.score, -entry.cost.macs)
    )
    heavy = stage(soft_constraint={"cost": cost, "target": 1e5, "weight": 1, "form": form})
    run_rounds(heavy)
    ranked = heavy.ranked("evolution")
    expected = [
        entry.score * 1e5 / getattr(entry.cost, cost)
        if form == "product"
        else entry.score - getattr(entry.cost, cost) / 1e5
        for entry in ranked
    ]
    assert [entry.worth for entry in ranked] == pytest.approx(expected)
    assert expected == sorted(expected, reverse=True)
    best = heavy.best("evolution")
    assert best is not None
    assert getattr(best.cost, cost) <= getattr(nothing.ranked("evolution")[0].cost, cost)


def test_networks_to_learn_from_meet_the_constraints_however_few_do(
    stage: Callable[..., Search], monkeypatch: pytest.MonkeyPatch
) -> None:
    search = stage()
    rng = np.random.default_rng(0)
    assert len({search.feasible(rng) for _ in range(5)}) == 5
    smallest = SPACE.smallest()
    monkeypatch.setattr(search, "violations", lambda genotype: () if genotype == smallest else ("too large",))
    assert [search.feasible(rng) for _ in range(2)] == [smallest, smallest]
    monkeypatch.setattr(search, "violations", lambda _: ("9 of 8 bytes",))
    with pytest.raises(InfeasibleError, match="9 of 8 bytes"):
        search.feasible(rng)


def test_the_network_of_most_macs_is_a_scored_one_where_counting_finds_none(
    stage: Callable[..., Search], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refined latency model may rule out all others, the smallest too."""
    search = stage()
    run_rounds(search)
    needle = [entry for entry in search.scored if entry.origin == "evolution"][-1]  # a child: not drawn at random
    monkeypatch.setattr(search, "violations", lambda genotype: () if genotype == needle.genotype else ("too slow",))
    assert search.most_macs() == needle.genotype
    search.scored = []
    with pytest.raises(InfeasibleError, match="too slow"):
        search.most_macs()


@pytest.mark.parametrize("form", ["product", "sum"])
def test_strategies_are_told_what_refined_costs_make_of_earlier_scores(form: str, stage: Callable[..., Search]) -> None:
    search = stage(soft_constraint={"cost": "latency", "target": 1e5, "weight": 1, "form": form})
    use(search, Landscape())
    search.run_round(1, search.costs)
    before = search.scored
    median = float(np.median([entry.cost.latency for entry in before]))
    latency = search.costs.latency
    assert latency is not None
    overhead = replace(latency.overhead, per_inference=latency.overhead.per_inference + 5e4)
    slower = search.costs.with_latency(replace(latency, overhead=overhead))
    search.recost(slower.with_limit(LatencyLimit(median + 5e4, "instructions")))
    for origin, strategy in search._strategies.items():
        mine = [entry for entry in search.scored if entry.origin == origin]
        assert isinstance(strategy, BaseStrategy)
        assert [o.score for o in strategy.scored] == [entry.worth for entry in mine]
        assert [o.feasible for o in strategy.scored] == [not entry.cost.violations for entry in mine]
        assert {o.feasible for o in strategy.scored} == {True, False}
        scale = [entry.worth / entry.score if form == "product" else 1.0 for entry in mine]
        assert [o.deviation for o in strategy.scored] == pytest.approx([0.01 * factor for factor in scale])
    assert all(now.worth < then.worth for now, then in zip(search.scored, before, strict=True))
    search.run_round(2, search.costs)
    assert all(entry.cost.violations == () for entry in search.scored if entry.round == 2)


def test_a_search_starts_at_what_people_scale_by_hand_and_random_search_does_not(stage: Callable[..., Search]) -> None:
    search = stage(strategy="evolution", start=["mobilenet-v2", "plain-cnn"], rounds=2)
    chosen, fits = search._chosen, search.costs.meets_all
    expected = {}
    for name in ("mobilenet-v2", "plain-cnn"):
        network = scaled_by_hand(name, chosen, fits, [16])
        assert network is not None
        expected[name] = nearest_member(SPACE, chosen.architecture, network, lambda g: fits(chosen.architecture(g)))
    assert search.started == expected
    scored = run_rounds(search)
    mine = [entry.genotype for entry in scored if entry.origin == "evolution"]
    theirs = [entry.genotype for entry in scored if entry.origin == "random"]
    assert mine[:3] == [*expected.values(), search.most_macs()]
    assert theirs[0] == search.most_macs()
    journalled = search._context.run.finished("start")
    assert journalled == {"members": {name: list(genotype) for name, genotype in expected.items()}}


def test_what_does_not_fit_is_no_start_and_that_is_said(
    stage: Callable[..., Search], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        _by_hand, "scaled_by_hand", lambda name, *_: None if name == "plain-cnn" else scaled_by_hand(name, *_)
    )
    search = stage(start=["plain-cnn", "mobilenet-v2"])
    assert "no size of plain convolutions fits at 16 pixels: the search starts without it" in caplog.text
    assert list(search.started) == ["mobilenet-v2"]
