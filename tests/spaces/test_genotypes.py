from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.spaces import ChainSpace, SearchSpace, SpaceError, build_graph, load_space, parse_space, space_names
from tinynas.testing._strategy_landscape import STRATEGY_SPACE

DRAWS = [
    (2, 3, 3, 1, 7, 4, 0, 0, 0, 0, 3, 3, 6, 3, 6, 3, 6),
    (2, 3, 5, 1, 3, 4, 0, 0, 0, 0, 3, 5, 4, 5, 4, 3, 6),
    (1, 3, 0, 1, 7, 4, 0, 0, 0, 0, 3, 3, 6, 3, 4, 3, 6),
    (2, 3, 5, 1, 3, 4, 0, 0, 0, 0, 3, 5, 6, 5, 4, 3, 6),
    (2, 3, 3, 1, 7, 3, 0, 0, 0, 0, 3, 3, 6, 3, 6, 3, 6),
]
SPACES = {name: load_space(name) for name in space_names()} | {"three-stages": parse_space(STRATEGY_SPACE)}
spaces = st.sampled_from(sorted(SPACES)).map(SPACES.__getitem__)
chains = st.sampled_from([name for name in sorted(SPACES) if isinstance(SPACES[name], ChainSpace)]).map(
    SPACES.__getitem__
)
seeds = st.integers(0, 2**32)


@given(spaces, seeds, st.floats(0, 1))
def test_every_move_stays_in_the_space(space: SearchSpace, seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = space.sample(rng), space.sample(rng)
    mutant, child = space.mutate(a, rng, rate), space.crossover(a, b, rng)
    for genotype in (a, b, mutant, child, space.largest(), space.smallest()):
        space.check(genotype)
        assert all(type(gene) is int for gene in genotype)
    assert mutant != a
    assert all(gene in (x, y, 0) for gene, x, y in zip(child, a, b, strict=True))
    assert space.crossover(a, a, rng) == a


@given(spaces, seeds)
def test_readable_form_is_lossless(space: SearchSpace, seed: int) -> None:
    genotype = space.sample(np.random.default_rng(seed))
    readable = json.loads(json.dumps(space.describe(genotype)))
    assert space.from_description(readable) == genotype


@given(chains, seeds)
def test_readable_form_of_a_chain_has_the_blocks_of_each_stage(space: SearchSpace, seed: int) -> None:
    readable = space.describe(space.sample(np.random.default_rng(seed)))
    assert [stage["depth"] for stage in readable.values()] == [len(stage["blocks"]) for stage in readable.values()]


@given(chains, seeds)
def test_shrinking_makes_nothing_larger_and_ends_at_the_smallest(space: SearchSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    genotype, steps = space.largest(), 0
    while (smaller := space.shrink(genotype, rng)) is not None:
        space.check(smaller)
        assert all(a <= b for a, b in zip(smaller, genotype, strict=True))
        assert smaller != genotype
        genotype, steps = smaller, steps + 1
    assert genotype == space.smallest()
    assert steps <= 3 * len(genotype)


@given(spaces, seeds)
def test_same_generator_same_moves(space: SearchSpace, seed: int) -> None:
    def moves() -> list[object]:
        rng = np.random.default_rng(seed)
        a, b = space.sample(rng), space.sample(rng)
        return [a, b, space.mutate(a, rng, 0.2), space.crossover(a, b, rng), space.shrink(a, rng)]

    assert moves() == moves()


def test_distinct_genotypes_are_distinct_networks() -> None:
    space = SPACES["three-stages"]
    rng = np.random.default_rng(0)
    genotypes = {space.sample(rng) for _ in range(150)} | {space.smallest(), space.largest()}
    networks = {
        tuple(tensor.shape for tensor in build_graph(space.decode(g, 1.0, 28, 1, 10)).tensors) for g in genotypes
    }
    assert len(networks) == len(genotypes)


def test_samples_and_mutations_reach_every_value() -> None:
    space = SPACES["three-stages"]
    rng = np.random.default_rng(0)
    sampled = np.array([space.sample(rng) for _ in range(500)])
    mutated = np.array([space.mutate(space.smallest(), rng, 0.2) for _ in range(1500)])
    for genotypes in (sampled, mutated):
        for position, largest in enumerate(space.largest()):
            assert largest in genotypes[:, position], position
    depths = np.bincount(sampled[:, 0], minlength=4)[1:]
    assert depths.min() > 120, "depths are drawn uniformly: about 167 each"


def chain(stages: int, depth: list[int], kernel: list[int], expansion: list[int]) -> SearchSpace:
    stage = f"""
    [[stages]]
    width = 8
    depth = {depth}
    choices = {{ kernel = {kernel}, expansion = {expansion} }}
    """
    head = 'name = "chain"\ndescription = "of a test"\nwidth_multipliers = [1.0]\nresolutions = [16]\n'
    return parse_space(f"{head}[stem]\nwidth = 8\n{stage * stages}")


def test_mutation_rate_is_respected() -> None:
    space = chain(6, [2, 3, 4], [3, 5, 7], [3, 4, 6])
    rng = np.random.default_rng(0)
    parent = space.largest()
    changed = [
        sum(x != y != 0 for x, y in zip(parent, space.mutate(parent, rng, 0.1), strict=True)) for _ in range(400)
    ]
    # Blocks that a smaller depth removes take their changes with them, so a little fewer than rate * variables.
    assert 0.08 * len(parent) < np.mean(changed) < 0.12 * len(parent)


def test_a_space_of_one_network() -> None:
    space = chain(1, [2], [3], [4])
    rng = np.random.default_rng(0)
    only = space.sample(rng)
    assert space.size() == 1
    assert space.mutate(only, rng, 0.5) == space.crossover(only, only, rng) == only == (2, 3, 4, 3, 4)
    assert space.shrink(only, rng) is None
    assert list(space.neighbours(only)) == []


def test_draws_are_the_same_in_every_version() -> None:
    """Runs are resumed and repeated from seeds: the draws of a space are part of what it promises."""
    space, rng = load_space("mobile-tiny"), np.random.default_rng(0)
    a, b = space.sample(rng), space.sample(rng)
    moves = [a, b, space.mutate(a, rng, 0.2), space.crossover(a, b, rng), space.shrink(a, rng)]
    assert moves == DRAWS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g[:-1], "has 21 genes, got 20"),
        (lambda g: (4, *g[1:]), r"gene 0, stage1\.depth, must be one of"),
        (lambda g: (g[0], 4, *g[2:]), r"gene 1, stage1\.block1\.kernel, must be one of"),
        (lambda g: (1, g[1], g[2], 3, *g[4:]), r"gene 3, stage1\.block2\.kernel, is inactive and must be 0"),
    ],
)
def test_strangers_are_refused(change, message: str) -> None:
    space = SPACES["three-stages"]
    stranger = change(space.largest())
    for use in (space.check, space.describe):
        with pytest.raises(SpaceError, match=message):
            use(stranger)


def test_architecture_refuses_values_outside_the_space() -> None:
    space = SPACES["three-stages"]
    with pytest.raises(SpaceError, match=r"gene 1, .* must be one of"):
        space.decode((1, 9, *space.smallest()[2:]), 1.0, 28)
    with pytest.raises(SpaceError, match="must be positive"):
        space.decode(space.smallest(), 0.0, 28)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("stage2"), "stage2 is missing"),
        (lambda r: r.update(stagge2=r["stage2"]), "did you mean 'stage2'"),
        (lambda r: r["stage1"].update(depth=2), "depth 2 with 3 blocks"),
        (lambda r: r["stage1"]["blocks"][0].pop("kernel"), "stage1.block1 takes kernel, expansion"),
        (lambda r: r["stage1"]["blocks"][0].update(kernel=9), "gene 1, .* must be one of"),
    ],
)
def test_wrong_readable_forms_are_refused(change, message: str) -> None:
    space = SPACES["three-stages"]
    readable = space.describe(space.largest())
    change(readable)
    with pytest.raises(SpaceError, match=message):
        space.from_description(readable)
