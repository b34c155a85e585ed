from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.graph import count_macs
from tinynas.lowering import lower
from tinynas.memory import plan_arena
from tinynas.spaces import (
    Architecture,
    ArchitectureCost,
    Block,
    SearchSpace,
    SpaceError,
    build_block_graph,
    build_graph,
    cached_by_signature,
    load_space,
    optimize_space,
)
from tinynas.spaces._ranking import BEST_OF, expected_best

KB = 1024


@cached_by_signature
def native_cost(block: Block) -> tuple[int, int, int]:
    """MACs, bytes of constants and arena of our engine."""
    schedule = lower(build_block_graph(block))
    return schedule.macs, sum(step.constant_bytes for step in schedule.steps), plan_arena(schedule).arena_bytes


def within(sram_bytes: int, flash_bytes: int):
    def cost(architecture: Architecture) -> ArchitectureCost:
        macs, flash, sram = zip(*map(native_cost, architecture.blocks), strict=True)
        excess = max(sum(flash) / flash_bytes, max(sram) / sram_bytes) - 1
        return ArchitectureCost(sum(macs), excess <= 0, max(0.0, excess))

    return cost


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.integers(1, 10))
def test_expected_best_is_the_mean_over_all_subsets(values: list[int], draws: int) -> None:
    subsets = [max(subset) for subset in combinations(values, min(draws, len(values)))]
    assert expected_best(np.array(values, dtype=float), draws) == pytest.approx(np.mean(subsets))


def test_figures_are_those_of_the_samples_that_fit() -> None:
    space = load_space("mobile-tiny")
    ranking = optimize_space(space, [(1.0, 28)], 200, within(12 * KB, 40 * KB), 3, None, 1, 10)
    result = ranking.configurations[0]
    rng = np.random.default_rng(3)
    costs = [within(12 * KB, 40 * KB)(space.decode(space.sample(rng), 1.0, 28, 1, 10)) for _ in range(result.samples)]
    macs = sorted(cost.macs for cost in costs if cost.fits)
    assert 20 < len(macs) < 180
    assert result.share_fits == len(macs) / 200
    assert result.mean_macs == pytest.approx(np.mean(macs))
    assert result.p80_macs == pytest.approx(np.quantile(macs, 0.8))
    values, probabilities = result.cdf()
    assert list(values) == macs
    assert probabilities[-1] == 1.0
    assert np.all(np.diff(probabilities) > 0)
    assert ranking.chosen == result
    assert ranking.nearest_miss is None


def test_macs_of_blocks_are_macs_of_the_graph() -> None:
    space = load_space("mobile")
    architecture = space.decode(space.sample(np.random.default_rng(0)), 0.5, 144, 3, 100)
    assert sum(native_cost(block)[0] for block in architecture.blocks) == count_macs(build_graph(architecture))


def scripted(shares: dict[float, tuple[int, int]], samples: int):
    """A cost under which, per width, the first n samples fit with so many MACs each."""
    seen: dict[float, int] = {}

    def cost(architecture: Architecture) -> ArchitectureCost:
        width = float(architecture.name.split("-w")[1].split("-")[0])
        i = seen[width] = seen.get(width, -1) + 1
        fitting, macs = shares[width]
        return ArchitectureCost(macs, i % samples < fitting, 0.0 if i % samples < fitting else 0.5)

    return cost


@pytest.mark.parametrize(
    ("lucky", "steady", "winner"),
    [
        # 2 of 1000 with 20 times the MACs: a search would not find them.
        ((2, 20_000_000), (1000, 1_000_000), 1.0),
        # A tenth of the space with twice the MACs: that is worth having.
        ((100, 2_000_000), (1000, 1_000_000), 0.5),
    ],
)
def test_luck_does_not_win_but_a_tenth_may(lucky, steady, winner: float) -> None:
    space = load_space("mobile-tiny")
    cost = scripted({0.5: lucky, 1.0: steady}, 1000)
    ranking = optimize_space(space, [(0.5, 28), (1.0, 28)], 1000, cost, 0)
    assert ranking.chosen is not None
    assert ranking.chosen.width == winner
    assert [c.score for c in ranking.configurations] == sorted((c.score for c in ranking.configurations), reverse=True)


def test_few_that_fit_still_beat_none() -> None:
    cost = scripted({0.5: (2, 1_000_000), 1.0: (0, 9_000_000)}, 500)
    ranking = optimize_space(load_space("mobile-tiny"), [(0.5, 28), (1.0, 28)], 500, cost, 0)
    assert ranking.chosen is not None
    assert ranking.chosen.width == 0.5
    assert 0 < ranking.chosen.score < 2 * BEST_OF / 500 * 1_000_000


def test_where_nothing_fits_the_nearest_miss_is_named() -> None:
    space = load_space("mobile-tiny")
    cost = within(1 * KB, 8 * KB)
    ranking = optimize_space(space, space.configurations(28), 50, cost, 0, None, 1, 10)
    assert ranking.chosen is None
    assert all(c.share_fits == 0 and c.mean_macs is None and c.score == 0 for c in ranking.configurations)
    miss = ranking.nearest_miss
    assert miss is not None
    assert cost(space.decode(miss.genotype, miss.width, miss.resolution, 1, 10)) == miss.cost
    rng = np.random.default_rng(0)
    genotypes = [space.sample(rng) for _ in range(50)]
    assert miss.cost.excess == min(
        cost(space.decode(g, w, r, 1, 10)).excess for w, r in space.configurations(28) for g in genotypes
    )


def test_same_seed_same_ranking_and_progress() -> None:
    space = load_space("mobile-tiny")
    done: list[tuple[int, int]] = []

    def run(seed: int):
        return optimize_space(
            space, space.configurations(28), 60, within(12 * KB, 40 * KB), seed, lambda *step: done.append(step), 1, 10
        )

    first, second, other = run(1), run(1), run(2)
    assert first == second
    assert first.configurations != other.configurations
    assert done == 3 * [(i, 20) for i in range(1, 21)]


def test_costs_are_computed_once_per_signature() -> None:
    asked: list[Block] = []
    cost = cached_by_signature(lambda block: asked.append(block) or len(asked))
    space = load_space("mobile-tiny")
    rng = np.random.default_rng(0)
    blocks = [block for _ in range(50) for block in space.decode(space.sample(rng), 0.5, 28, 1, 10).blocks]
    assert [cost(block) for block in blocks] == [cost(block) for block in blocks]
    assert len(asked) == len({block.signature for block in blocks}) < len(blocks)


@pytest.mark.parametrize(("configurations", "samples"), [([], 10), ([(1.0, 28)], 0)])
def test_nothing_to_compare(configurations, samples: int) -> None:
    with pytest.raises(SpaceError):
        optimize_space(load_space("mobile-tiny"), configurations, samples, within(KB, KB), 0)


@pytest.fixture(scope="module")
def chosen_over_the_grid() -> dict[tuple[int, int], tuple[float, int]]:
    """(SRAM KB, flash KB) -> chosen (width, resolution) of the mobile space, 1000 classes."""
    space: SearchSpace = load_space("mobile")
    grid = {}
    # Every other configuration, so that seconds suffice; 40 KB of the flash and 8 KB of the SRAM are the firmware's.
    configurations = [(w, r) for w, r in space.configurations() if r % 32 == 16]
    for sram in (192, 256, 320, 512):
        for flash in (512, 1024, 2048):
            cost = within((sram - 8) * KB, (flash - 40) * KB)
            chosen = optimize_space(space, configurations, 100, cost, 0).chosen
            assert chosen is not None
            grid[sram, flash] = (chosen.width, chosen.resolution)
    return grid


def test_more_sram_raises_resolution_and_more_flash_raises_width(chosen_over_the_grid) -> None:
    """Figure 12 of MCUNet. Widths round to multiples of 8 channels, so single steps may go against the law where a
    step in width pays with a step in resolution; the ends of the range and the averages may not."""
    grid = chosen_over_the_grid
    srams, flashes = ([*dict.fromkeys(axis)] for axis in zip(*grid, strict=True))
    for flash in flashes:
        assert grid[srams[-1], flash][1] > grid[srams[0], flash][1]
    for sram in srams:
        assert grid[sram, flashes[-1]][0] > grid[sram, flashes[0]][0]
    mean_resolution = [np.mean([grid[sram, flash][1] for flash in flashes]) for sram in srams]
    mean_width = [np.mean([grid[sram, flash][0] for sram in srams]) for flash in flashes]
    assert mean_resolution == sorted(set(mean_resolution))
    assert mean_width == sorted(set(mean_width))
