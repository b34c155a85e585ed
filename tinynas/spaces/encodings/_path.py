"""Which paths of operators lead through a network's cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tinynas.spaces._cell import Cell
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._search_space import SearchSpace
from tinynas.spaces._variables import Genotype

_MOST_FEATURES = 1_000_000


def path(space: SearchSpace, genotypes: Sequence[Genotype], *, longest: int | None = None) -> npt.NDArray[np.float64]:
    """The one-hot path encoding of White, Neiswanger, Savani 2021, "BANANAS: Bayesian Optimization with Neural
    Architectures for Neural Architecture Search", section on the path encoding, of every cell of the network, one
    after the other (White, Neiswanger, Savani et al. 2020 compare it with others).

    Of each cell: one feature for each input and each sequence of words of the vocabulary that could lead from it to the
    output, shorter ones first: 1 where a path of the cell reads so. Networks with the same paths have the same rows,
    although they may be wired differently; such networks compute nearly the same.

    Args:
        space: where the genotypes are from.
        genotypes: n members of the space.
        longest: operators of the longest paths that are encoded, longer ones being rarer (the paper's truncation);
            None encodes all.

    Returns:
        [n, d], d the sum over cells of inputs * (1 + v + v^2 + ... + v^m), where v is the size of the vocabulary and m
        the number of places for operators, or `longest` if that is less.

    Raises:
        SpaceError: the space does not say how its operators are wired, or there are more than a million features.
    """
    template = space.structure(space.smallest())
    lengths = [_longest(cell, longest) for cell in template]
    features = [cell.inputs * _sequences(cell, length) for cell, length in zip(template, lengths, strict=True)]
    if sum(features) > _MOST_FEATURES:
        raise SpaceError(
            f"the path encoding of space {space.name!r} has {sum(features):.1e} features: encode shorter paths only, "
            f"with longest < {max(lengths)}"
        )
    words = [{word: index for index, word in enumerate(cell.vocabulary)} for cell in template]
    encoded = np.zeros((len(genotypes), sum(features)))
    for row, genotype in zip(encoded, genotypes, strict=True):
        start = 0
        for i, cell in enumerate(space.structure(genotype)):
            for entry, operators in _paths(cell, lengths[i]):
                row[start + entry * (features[i] // cell.inputs) + _index(operators, words[i])] = 1.0
            start += features[i]
    return encoded


def _longest(cell: Cell, longest: int | None) -> int:
    return len(cell.operators) if longest is None else min(longest, len(cell.operators))


def _sequences(cell: Cell, longest: int) -> int:
    """The number of sequences of at most `longest` words."""
    return sum(int(len(cell.vocabulary) ** length) for length in range(longest + 1))


def _index(operators: Sequence[str], words: dict[str, int]) -> int:
    """The place of a sequence among all, ordered by length, then word by word."""
    place = 0
    for operator in operators:
        place = place * len(words) + words[operator]
    return sum(int(len(words) ** length) for length in range(len(operators))) + place


def _paths(cell: Cell, longest: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The input and the operators of each path to the output of at most `longest` operators."""
    successors: dict[int, list[int]] = {}
    for tail, head in sorted(cell.edges):
        successors.setdefault(tail, []).append(head)
    open_paths: list[tuple[int, int, tuple[str, ...]]] = [(entry, entry, ()) for entry in range(cell.inputs)]
    while open_paths:
        entry, vertex, operators = open_paths.pop()
        for head in successors.get(vertex, ()):
            if head == cell.output:
                yield entry, operators
            elif len(operators) < longest:
                operator = cell.operators[head - cell.inputs]
                assert operator is not None, f"{cell.name}: an edge leads to an empty place"
                open_paths.append((entry, head, (*operators, operator)))
