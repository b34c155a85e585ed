"""The table of trained networks that comes with the project: what it says of networks is true of them."""

from __future__ import annotations

import math
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from nas_table.costs import costs_of
from nas_table.provenance import provenance
from nas_table.space import TableSpace
from nas_table.table import (
    FOLDER,
    HELD_OUT,
    SEEDS,
    STEPS,
    Row,
    Trained,
    Training,
    load_rows,
    read_provenance,
    write_table,
)
from nas_table.training import recipe, table_data, train

from tinynas.search import mnasnet_product, weighted_sum
from tinynas.spaces import SearchSpace
from tinynas.testing import BaseSpaceTestCase
from tinynas.training import DatasetError

_AGAIN = 10

_SHAPE_COSTS = ("macs", "params")
_MODEL_COSTS = ("flash_bytes", "sram_bytes", "instructions")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    if not (FOLDER / "table.csv").is_file():
        pytest.skip("the table is not built: python benchmarks/build_nas_table.py")
    return load_rows()


def test_every_network_of_the_space_stands_in_the_table_once(rows: list[Row]) -> None:
    space = TableSpace()
    members = list(product(*(variable.values for variable in space.variables)))
    assert [row.genotype for row in rows] == members
    assert len(members) == space.size() == 729


def test_what_counting_decides_is_what_the_networks_have(rows: list[Row]) -> None:
    space = TableSpace()
    for row in rows:
        counted = costs_of(space, row.genotype)
        assert {name: row.costs[name] for name in _SHAPE_COSTS} == {name: counted[name] for name in _SHAPE_COSTS}


def test_costs_of_the_models_are_near_those_that_ship(rows: list[Row]) -> None:
    """They follow the firmware; `--costs-only` writes them anew, and a search on the table does not hang on a byte."""
    space = TableSpace()
    for row in rows:
        modelled = costs_of(space, row.genotype)
        for name in _MODEL_COSTS:
            assert row.costs[name] == pytest.approx(modelled[name], rel=0.1), (row.genotype, name)


def test_longer_trainings_are_better_on_average(rows: list[Row]) -> None:
    """Each length is more than ten standard errors of a mean over 729 networks above the one before."""
    for shorter, longer in pairwise(STEPS):
        gains = np.array(
            [row.trained[seed, longer].held_out - row.trained[seed, shorter].held_out for row in rows for seed in SEEDS]
        )
        assert gains.mean() > 10 * gains.std() / math.sqrt(len(gains))


@pytest.mark.parametrize("form", ["product", "sum"])
def test_the_more_latency_weighs_the_less_of_it_the_best_network_has(form: str, rows: list[Row]) -> None:
    """Searched exhaustively; without weight it is the network of the best score."""
    scores = [np.mean([row.trained[seed, STEPS[-1]].held_out / HELD_OUT for seed in SEEDS]) for row in rows]
    costs: list[dict[str, float]] = [{"latency": float(row.costs["instructions"])} for row in rows]
    target = float(np.median([cost["latency"] for cost in costs]))
    chosen: list[float] = []
    for weight in (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0):
        if form == "product":
            soft = mnasnet_product("latency", target, weight)
        else:
            soft = weighted_sum({"latency": weight}, {"latency": target})
        worth = [soft(float(score), cost) for score, cost in zip(scores, costs, strict=True)]
        if weight == 0:
            assert worth == scores
        chosen.append(costs[int(np.argmax(worth))]["latency"])
    assert all(before >= after for before, after in pairwise(chosen))
    assert chosen[0] > chosen[-1] == min(cost["latency"] for cost in costs)


@pytest.mark.usefixtures("rows")
def test_the_table_was_made_by_the_recipe_and_the_space_that_stand_here() -> None:
    made = read_provenance()
    here = provenance(recipe(), TableSpace().definition(), made["data"]["train_sha256"])
    for part in ("recipe", "space", "data"):
        assert made[part] == here[part]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    space = TableSpace()
    rng = np.random.default_rng(0)
    written = [
        Row(
            genotype,
            costs_of(space, genotype),
            {(seed, steps): Trained(*map(int, rng.integers(5000, size=2)), 0.25) for seed in SEEDS for steps in STEPS},
        )
        for genotype in (space.smallest(), space.sample(rng), space.largest())
    ]
    write_table(tmp_path, written, {"recipe": {"steps": [1]}})
    assert load_rows(tmp_path) == written
    assert read_provenance(tmp_path) == {"recipe": {"steps": [1]}}


def test_without_a_table_one_line_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"table\.csv is not there: python benchmarks/build_nas_table\.py builds it"):
        load_rows(tmp_path)


class TestTableSpace(BaseSpaceTestCase):
    @pytest.fixture
    def space(self) -> SearchSpace:
        return TableSpace()


def test_rows_trained_again_agree(rows: list[Row]) -> None:
    """To the bit on the processor of the table; elsewhere no further off than two trainings of ten networks are.

    The difference of two means of n trainings has the standard deviation sigma sqrt(2 / n), sigma from seed to seed.
    """
    made = read_provenance()
    try:
        data = table_data()
    except DatasetError as error:
        pytest.skip(str(error))
    assert data.train.digest() == made["data"]["train_sha256"]
    rng = np.random.default_rng(2026)
    drawn = [rows[i] for i in rng.permutation(len(rows))[:_AGAIN]]
    keys = [(SEEDS[int(rng.integers(len(SEEDS)))], int(rng.choice(STEPS))) for _ in drawn]
    again = [train(data, Training(row.genotype, *key)) for row, key in zip(drawn, keys, strict=True)]
    stored = [row.trained[key] for row, key in zip(drawn, keys, strict=True)]
    here = provenance(recipe(), TableSpace().definition(), data.train.digest())
    if here["processor"] == made["processor"] and here["versions"]["torch"] == made["versions"]["torch"]:
        assert [(t.held_out, t.test) for t in again] == [(t.held_out, t.test) for t in stored]
    difference = np.mean([(a.held_out - b.held_out) / HELD_OUT for a, b in zip(again, stored, strict=True)])
    variance = np.mean([_seed_variance(rows, steps) for _, steps in keys])
    assert abs(difference) <= 3 * math.sqrt(variance * 2 / _AGAIN)


def _seed_variance(rows: list[Row], steps: int) -> float:
    """Variance of held-out accuracy from seed to seed: half of the mean squared difference between two."""
    first, second = (np.array([row.trained[seed, steps].held_out / HELD_OUT for row in rows]) for seed in SEEDS)
    return float(np.mean((first - second) ** 2) / 2)
