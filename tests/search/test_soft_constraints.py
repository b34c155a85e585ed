from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.search import (
    SearchProblem,
    SoftConstraint,
    StrategyError,
    Trial,
    build_strategy,
    mnasnet_product,
    strategy_names,
    weighted_sum,
)
from tinynas.spaces import Genotype, parse_space

scores = st.floats(0, 1)
costs = st.floats(1, 1e9)

# 42 networks: a grid that every strategy can be tried on.
HANDFUL = parse_space("""
name = "handful"
description = "few enough networks to visit each"
width_multipliers = [1.0]
resolutions = [8]
[stem]
width = 8
[[stages]]
width = 8
depth = [1, 2]
choices = { kernel = [3, 5], expansion = [1, 2, 3] }
""")


def _latency(genotype: Genotype) -> float:
    return float(sum(genotype)) ** 2


def _accuracy(trial: Trial) -> float:
    """Rises with the latency, ever more slowly; a short training sees less of it."""
    return trial.fidelity * (1 - 1 / (1 + sum(trial.genotype)))


def _searched(name: str, soft: SoftConstraint) -> list[tuple[Trial, float]]:
    """What a strategy asked, and what it was told."""
    budget = 42 if name == "grid" else 24
    problem = SearchProblem(HANDFUL, lambda _: (), budget, fidelities=(0.25, 0.5, 1.0))
    searching = build_strategy(name, problem, seed=3)
    told = []
    for _ in range(budget):
        trial = searching.ask()
        told.append((trial, soft(_accuracy(trial), {"latency": _latency(trial.genotype)})))
        searching.tell(*told[-1])
    return told


def _best(told: list[tuple[Trial, float]]) -> Trial:
    return max(told, key=lambda trial_and_worth: trial_and_worth[1])[0]


@given(scores, costs)
def test_weight_0_leaves_scores_as_they_are(score: float, cost: float) -> None:
    assert mnasnet_product("latency", 80.0, 0.0)(score, {"latency": cost}) == score
    assert weighted_sum({"latency": 0.0}, {"latency": 80.0})(score, {"latency": cost}) == score


@pytest.mark.parametrize(
    ("score", "latency", "expected"),
    [
        (0.75, 80.0, 0.75),  # at the target the product is the accuracy
        (0.75, 160.0, 0.75 * 2**-0.07),
        (0.75, 40.0, 0.75 * 2**0.07),  # the paper's premise: twice the latency for 5 % more accuracy is a fair trade
        (0.75 * 1.05, 80.0, 0.75 * 1.05),
    ],
)
def test_the_product_of_mnasnet(score: float, latency: float, expected: float) -> None:
    assert mnasnet_product("latency", 80.0, 0.07)(score, {"latency": latency}) == pytest.approx(expected)


def test_the_hard_form_of_the_product() -> None:
    hard = mnasnet_product("latency", 80.0, 1.0, 0.0)
    assert hard(0.7, {"latency": 20.0}) == 0.7
    assert hard(0.7, {"latency": 160.0}) == pytest.approx(0.35)


def test_the_weighted_sum() -> None:
    both = weighted_sum({"macs": 0.1, "sram_bytes": 0.02}, {"macs": 1e6, "sram_bytes": 1000.0})
    assert both(0.9, {"macs": 2e6, "sram_bytes": 500.0, "flash_bytes": 7.0}) == pytest.approx(0.9 - 0.2 - 0.01)


FAMILIES = {
    "product": lambda weight: mnasnet_product("latency", 16.0, weight),
    "sum": lambda weight: weighted_sum({"latency": weight}, {"latency": 16.0}),
}

# Scores and sums of eighths and powers of 16 at quarters are exact, so no tie is decided by rounding.
networks = st.lists(
    st.tuples(st.integers(0, 64).map(lambda n: n / 64), st.integers(0, 4).map(lambda k: 16.0**k)), min_size=1
)
rising_weights = st.lists(st.integers(0, 16).map(lambda n: n / 4), min_size=2).map(sorted)


@pytest.mark.parametrize("form", FAMILIES)
@given(networks, rising_weights)
def test_the_latency_of_the_best_of_all_never_rises_with_the_weight(
    form: str, table: list[tuple[float, float]], weights: list[float]
) -> None:
    """Let a be the best at weight v, b at w > v, and c(.) latencies.

    Of the sum, s(a) - v c(a) >= s(b) - v c(b) and s(b) - w c(b) >= s(a) - w c(a); added, (w - v) (c(a) - c(b)) >= 0.
    So c(b) <= c(a), whatever the scores and however ties are broken. The logarithm of the product is such a sum, with
    log s and log c in place of s and c. Networks of score 0, whose product is 0 at any latency, are best only where
    all are: there the quickest is taken.
    """
    chosen = []
    for weight in weights:
        worth = FAMILIES[form](weight)
        chosen.append(max(table, key=lambda network: (worth(network[0], {"latency": network[1]}), -network[1]))[1])
    assert chosen == sorted(chosen, reverse=True)


@pytest.mark.parametrize("form", FAMILIES)
def test_searched_exhaustively_the_best_gets_quicker_with_the_weight(form: str) -> None:
    """From the most accurate network to the quickest, by grid search over a table of accuracies and latencies."""
    latencies = [
        _latency(_best(_searched("grid", FAMILIES[form](weight))).genotype)
        for weight in (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    ]
    assert latencies == sorted(latencies, reverse=True)
    every = list(HANDFUL.enumerate())
    assert latencies[0] == max(map(_latency, every))
    assert latencies[-1] == min(map(_latency, every))
    assert len(set(latencies)) >= 3


@pytest.mark.parametrize("form", FAMILIES)
@pytest.mark.parametrize("name", strategy_names())
def test_with_weight_0_every_strategy_searches_as_without(name: str, form: str) -> None:
    found = _searched(name, FAMILIES[form](0.0))
    assert found == _searched(name, lambda score, _: score)
    assert _accuracy(_best(found)) == max(_accuracy(trial) for trial, _ in found)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: mnasnet_product("latency", 0.0, 0.1), "target of 'latency' must be positive"),
        (lambda: mnasnet_product("latency", 1.0, -0.1), "weight of a soft constraint must be at least 0"),
        (lambda: weighted_sum({"macs": 1.0}, {}), "'macs' needs a positive target"),
        (lambda: weighted_sum({"macs": 1.0}, {"macs": 1.0})(0.5, {"flops": 1.0}), "weighs 'macs', .* here: flops"),
        (lambda: mnasnet_product("macs", 1.0, 0.1)(-0.5, {"macs": 1.0}), "score of at least 0"),
    ],
)
def test_what_is_wrong_is_one_line(make, line: str) -> None:
    with pytest.raises(StrategyError, match=line):
        make()
