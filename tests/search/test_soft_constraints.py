from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.search import StrategyError, mnasnet_product, weighted_sum

scores = st.floats(0, 1)
costs = st.floats(1, 1e9)


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


def test_heavier_weights_choose_networks_that_cost_no_more() -> None:
    networks = [(0.5 + 0.4 * (1 - 2.0**-i), {"latency": 10.0 * (i + 1)}) for i in range(12)]
    for family in (
        lambda weight: mnasnet_product("latency", 50.0, weight),
        lambda weight: weighted_sum({"latency": weight}, {"latency": 50.0}),
    ):
        chosen = []
        for soft in map(family, (0.0, 0.01, 0.1, 1.0, 10.0)):
            chosen.append(max((soft(*network), network[1]["latency"]) for network in networks)[1])
        assert chosen == sorted(chosen, reverse=True)
        assert chosen[0] == 120.0
        assert chosen[-1] == 10.0


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
