"""Whatever the variables and their conditions: what follows from them agrees with listing all assignments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tinynas.spaces import Architecture, Condition, Genotype, SpaceError, Variable, VariableSpace, active, activity

seeds = st.integers(0, 2**32)


class Space(VariableSpace):
    def __init__(self, variables: Sequence[Variable]) -> None:
        super().__init__("of a test", variables, resolutions=(16,))

    def decode(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 3, classes: int = 1000
    ) -> Architecture:
        raise NotImplementedError


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Up to five variables of up to three values, 0 among them; each waits for up to two earlier ones."""
    variables: list[Variable] = []
    for position in range(draw(st.integers(1, 5))):
        parents = draw(st.lists(st.integers(0, position - 1), max_size=2, unique=True)) if position else []
        requires = tuple(
            Condition(parent, tuple(draw(st.lists(st.sampled_from(variables[parent].values), unique=True))))
            for parent in parents
        )
        ordinal = draw(st.booleans())
        values = draw(st.lists(st.integers(-1, 5), min_size=1, max_size=3, unique=True))
        variables.append(Variable(f"v{position}", tuple(sorted(values) if ordinal else values), ordinal, requires))
    return Space(variables)


def members(space: Space) -> set[Genotype]:
    return {space.canonical(values) for values in product(*(variable.values for variable in space.variables))}


@given(spaces())
def test_size_and_enumeration_count_every_member_once(space: Space) -> None:
    listed = list(space.enumerate())
    assert len(listed) == len(set(listed)) == space.size()
    assert set(listed) == members(space)
    for genotype in listed:
        space.check(genotype)
        assert space.from_description(space.describe(genotype)) == genotype
        awake = activity(space.variables, genotype)
        assert awake == [active(space.variables, genotype, position) for position in range(len(genotype))]


@given(spaces(), seeds)
def test_neighbours_are_the_members_one_value_away(space: Space, seed: int) -> None:
    genotype = space.sample(np.random.default_rng(seed))
    neighbours = list(space.neighbours(genotype))
    awake = activity(space.variables, genotype)
    assert len(neighbours) == len(set(neighbours))
    assert len(neighbours) == sum(len(v.values) - 1 for v, here in zip(space.variables, awake, strict=True) if here)
    for neighbour in neighbours:
        space.check(neighbour)
        after = activity(space.variables, neighbour)
        changed = [p for p in range(len(genotype)) if awake[p] and after[p] and genotype[p] != neighbour[p]]
        assert len(changed) == 1
        woken = [p for p in range(len(genotype)) if after[p] and not awake[p]]
        assert all(neighbour[p] == space.variables[p].values[0] for p in woken)


@given(spaces(), seeds, st.floats(0, 1))
def test_draws_are_members(space: Space, seed: int, rate: float) -> None:
    assume(space.size() > 1)
    rng = np.random.default_rng(seed)
    a, b = space.sample(rng), space.sample(rng)
    mutant, child = space.mutate(a, rng, rate), space.crossover(a, b, rng)
    for genotype in (a, b, mutant, child, space.smallest(), space.largest()):
        space.check(genotype)
    if list(space.neighbours(a)):
        assert mutant != a
    smaller: Genotype | None = a
    for _ in range(20):
        smaller, last = space.shrink(smaller, rng), smaller
        if smaller is None:
            assert last == space.smallest()
            return
    pytest.fail("it does not end")


class Swapped(Space):
    """Two operands of an addition: which is which does not matter."""

    def __init__(self) -> None:
        super().__init__([Variable("a", (1, 2, 3), ordinal=False), Variable("b", (1, 2, 3), ordinal=False)])

    def canonical(self, values: Sequence[int]) -> Genotype:
        return tuple(sorted(values))

    def size(self) -> int:
        return 6


def test_a_symmetry_is_counted_once() -> None:
    space, rng = Swapped(), np.random.default_rng(0)
    listed = list(space.enumerate())
    assert listed == [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)]
    assert {space.sample(rng) for _ in range(200)} == set(listed)
    for genotype in listed:
        neighbours = list(space.neighbours(genotype))
        assert genotype not in neighbours
        assert len(neighbours) == len(set(neighbours))
        assert all(space.mutate(genotype, rng) in listed for _ in range(20))
        assert all(space.mutate(genotype, rng) != genotype for _ in range(20))
    with pytest.raises(SpaceError, match=r"genotype \[2, 1\] is written \[1, 2\]"):
        space.check((2, 1))


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ([Variable("a", ())], "'a' needs values, each once"),
        ([Variable("a", (2, 2))], "'a' needs values, each once"),
        ([Variable("a", (2, 1))], "'a' is ordinal, so its values ascend"),
        ([Variable("a", (2, 1), ordinal=False, labels=("x",))], "'a' has 2 values and the labels"),
        ([Variable("a", (1,)), Variable("a", (1,))], "'a' stands twice"),
        ([Variable("a", (1,), requires=(Condition(0, (1,)),))], "'a' may only depend on earlier variables"),
        ([Variable("a", (1,)), Variable("b", (1,), requires=(Condition(0, (2,)),))], "values that 'a' does not have"),
    ],
)
def test_variables_that_make_no_space_are_refused(variables: list[Variable], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        Space(variables)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "a is missing: one of"),
        ({"a": 2}, "b is missing: one of"),
        ({"a": 3}, r"a must be one of \[1, 2\], got 3"),
        ({"a": 1, "c": 1}, "unknown variable 'c'"),
        ({"a": 1, "b": "x"}, "gene 1, b, is inactive and must be 0, got 7"),
    ],
)
def test_wrong_descriptions_are_refused(description: dict[str, object], message: str) -> None:
    space = Space([Variable("a", (1, 2)), Variable("b", (7, 8), False, (Condition(0, (2,)),), ("x", "y"))])
    assert space.describe((2, 8)) == {"a": 2, "b": "y"}
    with pytest.raises(SpaceError, match=message):
        space.from_description(description)


def test_a_space_without_wiring_says_so() -> None:
    space = Space([Variable("a", (1, 2))])
    with pytest.raises(SpaceError, match="does not say how its operators are wired"):
        space.structure(space.smallest())
