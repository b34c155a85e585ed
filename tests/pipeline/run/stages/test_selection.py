"""From what was scored and measured to the winner and the baselines: limits, ties, labels, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynas.errors import AnswerIsNo
from tinynas.evaluation import Estimate, EvaluationProgress, Evaluator
from tinynas.lowering import Lowering
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.costs import LatencyLimit, NetworkCost
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.storage import RunDirectory
from tinynas.search import Trial
from tinynas.spaces import Architecture, Block, Genotype, SearchSpace, parse_space
from tinynas.targets import load_board
from tinynas.training import Dataset, Split

pytest.importorskip("torch")

from tinynas.pipeline.run.stages import _counted
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.pipeline.run.stages._context import RunContext
from tinynas.pipeline.run.stages._evaluations import JournalledEvaluator
from tinynas.pipeline.run.stages._search import Search
from tinynas.pipeline.run.stages._selection import (
    SEARCH,
    NoCandidateError,
    measured_ticks,
    pick_contenders,
    unmeasured_best,
)

BOARD = load_board("nucleo-f303k8")
SPACE = parse_space("""
name = "six"
description = "one block: a kernel and an expansion"
width_multipliers = [1.0]
resolutions = [16]
[stem]
width = 8
[[stages]]
width = 8
depth = [1]
choices = { kernel = [3, 5], expansion = [1, 2, 3] }
""")
A, B, C, D, E, F = SPACE.enumerate()


@dataclass
class Costs:
    """Costs by a table: MACs of 100 unless it says otherwise, and whether MobileNetV2 fits."""

    macs: dict[Genotype, int] = field(default_factory=dict)
    too_large: set[Genotype] = field(default_factory=set)
    hand_made_fits: bool = True
    latency: Any = None
    limit: Any = None

    def block_macs(self, block: Block) -> int:
        return 1

    def of(self, network: Genotype | Architecture) -> NetworkCost:
        if isinstance(network, Architecture):
            fits, macs = self.hand_made_fits, 1
        else:
            fits, macs = network not in self.too_large, self.macs.get(network, 100)
        return NetworkCost(macs, 20, 30, 40, 50.0, (), () if fits else ("too large",), 0.0, Lowering())

    def meets_all(self, network: Genotype | Architecture) -> bool:
        return not self.of(network).violations


class Chosen:
    """The space, whose networks stand for themselves."""

    space: SearchSpace = SPACE
    width, resolution, input_channels, classes = 1.0, 16, 1, 2

    def architecture(self, genotype: Genotype) -> Genotype:
        return genotype


class Sure:
    """An evaluator that gives everything the same score."""

    name = key = "sure"
    fidelities = (1.0,)

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        return [Estimate(0.25) for _ in genotypes]

    def close(self) -> None:
        pass


class SureAndSlow(Sure):
    """The same at two fidelities; notes what it trains in full."""

    fidelities = (0.5, 1.0)

    def __init__(self) -> None:
        self.trained: list[Genotype] = []

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        self.trained += genotypes if fidelity == 1 else ()
        return super().evaluate(genotypes, fidelity, progress)


Found = list[tuple[Genotype, float]]
"""Networks with their scores."""


@dataclass
class Stage:
    """A run in which networks were scored; `pick` chooses among them."""

    context: RunContext
    search: Search

    def pick(
        self,
        measured: dict[Genotype, float] | None = None,
        most: float | None = None,
        evaluator: Evaluator | None = None,
    ) -> list[Contender]:
        limit = None if most is None else LatencyLimit(most, "instructions")
        return pick_contenders(self.context, Chosen(), self.search, evaluator or Sure(), measured or {}, limit)

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = self.context.run.read_json(SEARCH)
        return document


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    """Makes a run in which evolution and random search have found networks, in the order given."""
    monkeypatch.setattr(_counted, "_EVALUATIONS", 6)
    split = Split(np.zeros((2, 16, 16, 1), np.uint8), np.arange(2))
    data = Dataset("own", split, split, split, ("a", "b"))
    with RunDirectory(tmp_path, {}) as run:

        def make(
            found: Found, random: Found = (), costs: Costs | None = None, train: tuple[str, ...] = (), **search: Any
        ) -> Stage:
            config = RunConfig.model_validate(
                {
                    "board": BOARD.name,
                    "seed": 3,
                    "data": {"dataset": "own"},
                    "search": {"evaluations": 6, "population": 4, **search},
                    "baselines": {"train": train},
                }
            )
            context = RunContext(config, BOARD, SPACE, data, run, SilentProgress(), 1)
            searched = Search(context, Chosen(), costs or Costs())
            searched.use(JournalledEvaluator(run.journal, Sure()))
            searched.scored = [
                searched.entry(origin, 1, Trial(genotype), score)
                for origin, several in ((searched.strategy, found), ("random", random))
                for genotype, score in several
            ]
            return Stage(context, searched)

        yield make


def winner_of(contenders: list[Contender]) -> Genotype | None:
    assert contenders[0].key == "winner"
    return contenders[0].genotype


@pytest.mark.parametrize(
    ("measured", "most", "expected"),
    [
        ({}, None, A),
        ({A: 120.0}, None, A),
        ({A: 100.0, B: 90.0}, 100, A),
        ({A: 120.0, B: 90.0}, 100, B),
        ({A: 120.0}, 100, B),  # never measured: its prediction, which meets the limit, is what is known
        ({A: 120.0, B: 101.0, C: 5.0}, 100, C),
    ],
)
def test_the_winner_is_the_best_whose_measurement_meets_the_limit(
    measured: dict[Genotype, float], most: float | None, expected: Genotype, stage: Callable[..., Stage]
) -> None:
    assert winner_of(stage([(C, 0.7), (A, 0.9), (B, 0.8)]).pick(measured, most)) == expected


def test_a_network_that_is_there_already_is_no_other_baseline(stage: Callable[..., Stage]) -> None:
    """The search looks at the network of the most MACs first: it may well win."""
    most = stage([(A, 0.9)]).search.most_macs()
    contenders = stage([(most, 0.9), (A, 0.1)], random=[(most, 0.9)], train=("random", "macs")).pick()
    assert [contender.key for contender in contenders] == ["winner"]


def test_a_network_that_is_predicted_not_to_fit_never_wins(stage: Callable[..., Stage]) -> None:
    found = stage([(A, 0.9), (B, 0.8)], costs=Costs(too_large={A}))
    assert winner_of(found.pick({A: 1.0}, 100)) == B


@pytest.mark.parametrize(("macs", "expected"), [({A: 100, B: 100}, A), ({A: 101, B: 100}, B)])
def test_fewer_macs_win_a_tie_and_then_the_first_of_the_space(
    macs: dict[Genotype, int], expected: Genotype, stage: Callable[..., Stage]
) -> None:
    for found in ([(A, 0.9), (B, 0.9)], [(B, 0.9), (A, 0.9)]):
        assert winner_of(stage(found, costs=Costs(macs)).pick()) == expected


def test_a_short_training_wins_only_where_no_whole_one_meets_the_limit(stage: Callable[..., Stage]) -> None:
    found = stage([(B, 0.8)])
    found.search.scored.append(found.search.entry("evolution", 1, Trial(A, 0.5), 0.95))
    assert winner_of(found.pick()) == B
    assert winner_of(found.pick({B: 120.0}, 100)) == A


def test_where_all_are_too_slow_the_answer_is_one_line(stage: Callable[..., Stage]) -> None:
    found = stage([(A, 0.9), (B, 0.8)], random=[(C, 0.5)])
    with pytest.raises(NoCandidateError) as refused:
        found.pick({A: 101.0, B: 102.0, C: 1.0}, 100)  # what random search found is not the strategy's
    assert str(refused.value) == "no network that the search found meets the latency limit on the board: raise [limits]"
    assert isinstance(refused.value, AnswerIsNo)
    assert not found.context.run.file(SEARCH).exists()


BASELINES = ("random", "macs", "mobilenet-v2", "plain-cnn")


def test_each_baseline_has_its_label_and_its_folder(stage: Callable[..., Stage]) -> None:
    contenders = stage([(A, 0.9)], random=[(B, 0.6)], costs=Costs({F: 200}), train=BASELINES).pick()
    assert [(c.key, c.label, c.genotype, c.shared_accuracy, c.folder) for c in contenders[:3]] == [
        ("winner", "winner (evolution)", A, 0.9, "winner"),
        ("random", "random search", B, 0.6, "baselines/random"),
        ("macs", "most MACs that fit", F, 0.25, "baselines/macs"),
    ]
    hand_made = contenders[3:]
    assert [(hand.key, hand.genotype, hand.shared_accuracy) for hand in hand_made] == [
        ("mobilenet-v2", None, None),
        ("plain-cnn", None, None),
    ]
    mobilenet, plain = hand_made
    assert mobilenet.label.startswith("MobileNetV2, scaled by hand (")
    assert plain.label.startswith("plain convolutions, scaled by hand (")
    assert [c.model_file for c in contenders] == [
        "winner.tflite",
        *(f"baselines/{key}/model.tflite" for key in BASELINES),
    ]


@pytest.mark.parametrize("wanted", BASELINES)
def test_only_the_baselines_that_are_wanted_are_trained(wanted: str, stage: Callable[..., Stage]) -> None:
    contenders = stage([(A, 0.9)], random=[(B, 0.6)], train=(wanted,)).pick()
    assert [c.key for c in contenders] == ["winner", wanted]


def test_what_cannot_be_a_baseline_is_left_out(stage: Callable[..., Stage]) -> None:
    same = stage([(A, 0.9)], random=[(A, 0.9), (B, 0.6)], costs=Costs(hand_made_fits=False), train=BASELINES)
    assert [c.key for c in same.pick()] == ["winner", "macs"]
    assert stage([(A, 0.9)], random=[(B, 0.9)], costs=Costs(too_large={B}), train=("random",)).pick()[1:] == []


@pytest.mark.parametrize(
    ("scored", "train", "listed", "trained"),
    [
        ([], (), None, []),  # the search did not go on with it: no training for a line of the report
        ([], ("macs",), 0.25, [F]),
        ([(F, 0.7)], (), 0.7, []),
        ([(F, 0.7)], ("macs",), 0.7, []),
    ],
)
def test_most_macs_is_trained_for_the_report_only_if_it_is_wanted(
    scored: Found, train: tuple[str, ...], listed: float | None, trained: list[Genotype], stage: Callable[..., Stage]
) -> None:
    found, evaluator = stage([(A, 0.9), *scored], costs=Costs({F: 200}), train=train), SureAndSlow()
    contenders = found.pick(evaluator=evaluator)
    assert [c.key for c in contenders] == ["winner", *train]
    assert found.document["choices"].get("most MACs", {}).get("score") == listed
    assert evaluator.trained == trained


def test_random_search_is_held_to_the_limit_like_the_winner(stage: Callable[..., Stage]) -> None:
    found = stage([(B, 0.8)], random=[(A, 0.9), (C, 0.7)], train=("random",))
    contenders = found.pick({A: 120.0, B: 90.0}, 100)
    assert [c.genotype for c in contenders] == [B, C]
    assert found.document["choices"]["random search"]["genotype"] == list(C)


def test_random_search_as_the_strategy_is_the_winner_alone(stage: Callable[..., Stage]) -> None:
    contenders = stage([(A, 0.9), (B, 0.8)], strategy="random", train=("random",)).pick({A: 120.0}, 100)
    assert [(c.label, c.genotype) for c in contenders] == [("winner (random)", B)]


def test_search_json_has_everything_that_was_scored(stage: Callable[..., Stage]) -> None:
    found = stage([(A, 0.9), (B, 0.95)], random=[(C, 0.6)], costs=Costs({A: 90, F: 200}, too_large={B}))
    found.search.scored.append(found.search.entry("evolution", 2, Trial(D, 0.5), 0.97))
    found.pick()
    document = found.document
    assert [(e["origin"], e["genotype"], e["score"]) for e in document["entries"]] == [
        ("evolution", list(A), 0.9),
        ("evolution", list(B), 0.95),
        ("random", list(C), 0.6),
        ("evolution", list(D), 0.97),
    ]
    assert {name: choice["genotype"] for name, choice in document["choices"].items()} == {
        "winner": list(A),
        "random search": list(C),
        "most MACs": list(F),
    }
    assert document["choices"]["winner"] == {
        "origin": "evolution",
        "round": 1,
        "genotype": list(A),
        "score": 0.9,
        "fidelity": 1.0,
        "worth": 0.9,
        "cost": {"macs": 90, "sram_bytes": 20, "stack_bytes": 30, "flash_bytes": 40, "latency": 50.0},
    }
    # B violates a constraint, C is worse at the same costs, D was not trained to the end.
    assert document["front"] == [list(A)]
    rest = {name: document[name] for name in ("strategy", "evaluator", "accuracy", "unit", "seed")}
    assert rest == {"strategy": "evolution", "evaluator": "sure", "accuracy": True, "unit": "ticks", "seed": 3}


def test_the_front_is_one_of_the_objectives_that_the_strategy_has(stage: Callable[..., Stage]) -> None:
    """Latency and SRAM are the same for all here, MACs are not."""
    costs, scored = Costs({A: 90, B: 50, C: 60}), [(A, 0.9), (B, 0.8), (C, 0.7)]
    found = stage(scored, costs=costs, strategy="nsga2", objectives=["macs"])
    found.pick()
    assert found.document["front"] == sorted([list(A), list(B)])


def test_the_selection_is_made_once(stage: Callable[..., Stage]) -> None:
    found = stage([(A, 0.9)])
    found.pick()
    before = found.context.run.file(SEARCH).read_bytes()
    again = stage([(A, 0.9)])
    assert again.pick() == found.pick()
    assert found.context.run.file(SEARCH).read_bytes() == before
    assert len(list(found.context.run.journal.records("finished", work="selection"))) == 1


def test_a_round_measures_the_best_that_no_earlier_round_has(stage: Callable[..., Stage]) -> None:
    found = stage([(A, 0.9), (B, 0.8), (C, 0.7), (D, 0.6)], random=[(E, 1.0)])
    journal = found.context.run.journal
    journal.append("measured", round=1, genotype=list(A), ticks=10)
    journal.append("measured", round=2, genotype=list(B), ticks=20)  # then the process died
    assert [e.genotype for e in unmeasured_best(found.context, found.search, 1, 2)] == [A, B]
    assert [e.genotype for e in unmeasured_best(found.context, found.search, 2, 2)] == [B, C]
    assert [e.genotype for e in unmeasured_best(found.context, found.search, 3, 5)] == [C, D]
    assert measured_ticks(found.context) == {A: 10.0, B: 20.0}
