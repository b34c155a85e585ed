"""Encodings, by hand on two small spaces: a chain of one stage and a cell."""

from __future__ import annotations

import numpy as np
import pytest
from toy_cell import BOTH, IMAGE, NODE, ToyCellSpace

from tinynas.spaces import Cell, SpaceError, load_space, parse_space
from tinynas.spaces.encodings import adjacency, encode, encoding, encoding_names, one_hot, ordinal, path

CHAIN = parse_space("""
name = "one-stage"
description = "up to two blocks"
width_multipliers = [1.0]
resolutions = [16]
[stem]
width = 8
[[stages]]
width = 8
depth = [1, 2]
choices = { kernel = [3, 5], expansion = [3, 4, 6] }
""")
SHALLOW, DEEP = (1, 5, 4, 0, 0), (2, 5, 6, 3, 3)
CELL = ToyCellSpace()
POOL, CONV1, CONV3 = range(3)


def test_one_hot_of_a_chain() -> None:
    assert one_hot(CHAIN, [SHALLOW, DEEP]).astype(int).tolist() == [
        [1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0],
    ]


def test_ordinal_is_by_value_or_by_place_and_minus_one_where_inactive() -> None:
    assert ordinal(CHAIN, [SHALLOW, DEEP]) == pytest.approx(np.array([[0, 1, 1 / 3, -1, -1], [1, 1, 1, 0, 0]]))
    assert ordinal(CELL, [(BOTH, CONV1, CONV3), (IMAGE, 0, POOL)]).tolist() == [[1, 0.5, 1], [0, -1, 0]]


def test_adjacency_of_a_cell() -> None:
    # Pairs (0,1) (0,2) (0,3) (1,2) (1,3) (2,3), then three words for each of two places.
    assert adjacency(CELL, [(BOTH, CONV1, CONV3), (IMAGE, 0, POOL), (NODE, POOL, CONV1)]).astype(int).tolist() == [
        [1, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1],
        [0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0],
        [1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 0],
    ]


def paths(genotype: tuple[int, ...]) -> set[int]:
    return set(np.flatnonzero(path(CELL, [genotype])[0]).tolist())


def test_paths_of_a_cell() -> None:
    # The empty path, then those of one operator, then of two: the first operator has the larger weight.
    assert path(CELL, [CELL.smallest()]).shape == (1, 1 + 3 + 9)
    assert paths((IMAGE, 0, POOL)) == {1 + POOL}
    assert paths((NODE, CONV1, CONV3)) == {4 + 3 * CONV1 + CONV3}
    assert paths((BOTH, CONV1, CONV3)) == {1 + CONV3, 4 + 3 * CONV1 + CONV3}


def test_paths_can_be_cut_short() -> None:
    genotypes = [(BOTH, CONV1, CONV3), (NODE, CONV1, CONV3)]
    assert path(CELL, genotypes, longest=1).astype(int).tolist() == [[0, 0, 0, 1], [0, 0, 0, 0]]
    assert np.array_equal(path(CELL, genotypes, longest=9), path(CELL, genotypes))


class TwoInputs(ToyCellSpace):
    def structure(self, genotype: tuple[int, ...]) -> tuple[Cell, ...]:
        """An operator of either input, both of which lead to the output."""
        names = ("a", "b")
        operators = (names[genotype[1] % 2], names[genotype[2] % 2])
        return (Cell("cell", names, operators, frozenset({(0, 2), (1, 3), (2, 4), (3, 4)}), inputs=2),)


def test_paths_and_edges_of_two_inputs() -> None:
    space = TwoInputs()
    # Of each input the empty path, a, b, then the four of two operators.
    assert np.flatnonzero(path(space, [(NODE, 0, 1)])[0]).tolist() == [1, 7 + 2]
    # No pair of inputs: (0,2) (0,3) (0,4) (1,2) (1,3) (1,4) (2,3) (2,4) (3,4), then two words for each place.
    edges, words = [1, 0, 0, 0, 1, 0, 0, 1, 1], [1, 0, 0, 1]
    assert adjacency(space, [(NODE, 0, 1)]).astype(int).tolist() == [edges + words]


def test_a_chain_is_wired_block_by_block() -> None:
    first, second = CHAIN.structure(SHALLOW)
    assert first.operators == ("inverted_bottleneck kernel=5 expansion=4",)
    assert (first.edges, second.edges) == ({(0, 1), (1, 2)}, {(0, 2)})
    assert second.operators == (None,)
    # Six settings of either block, and the empty path of one that is not there.
    assert np.flatnonzero(path(CHAIN, [SHALLOW])[0]).tolist() == [1 + 3 + 1, 7 + 0]


def test_paths_tell_the_networks_of_a_chain_apart() -> None:
    genotypes = list(CHAIN.enumerate())
    assert len(np.unique(path(CHAIN, genotypes), axis=0)) == len(genotypes) == 6 + 36


@pytest.mark.parametrize("name", encoding_names())
def test_encodings_are_had_by_name(name: str) -> None:
    assert np.array_equal(encode(CHAIN, [SHALLOW, DEEP], name), encoding(name).function(CHAIN, [SHALLOW, DEEP]))


def test_unknown_encodings_name_the_nearest() -> None:
    with pytest.raises(SpaceError, match="unknown encoding 'onehot'; did you mean 'one-hot'"):
        encode(CHAIN, [SHALLOW], "onehot")


class Large(ToyCellSpace):
    def structure(self, genotype: tuple[int, ...]) -> tuple[Cell, ...]:
        return (Cell("cell", tuple(map(str, range(13))), ("0",) * 10, frozenset()),)


def test_too_many_paths_are_refused() -> None:
    with pytest.raises(SpaceError, match=r"has 1\.5e\+11 features: encode shorter paths only, with longest < 10"):
        path(Large(), [CELL.smallest()])


def test_the_mobile_space_has_vectors_of_moderate_length() -> None:
    space = load_space("mobile")
    lengths = {name: encode(space, [], name).shape[1] for name in encoding_names()}
    assert lengths == {"one-hot": 145, "ordinal": 51, "adjacency": 256, "path": 212}
