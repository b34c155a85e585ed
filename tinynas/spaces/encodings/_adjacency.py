"""The wiring of a network's cells, edge by edge, and what stands at each vertex."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinynas.spaces._cell import Cell
from tinynas.spaces._search_space import SearchSpace
from tinynas.spaces._variables import Genotype


def adjacency(space: SearchSpace, genotypes: Sequence[Genotype]) -> npt.NDArray[np.float64]:
    """The one-hot adjacency encoding of White, Neiswanger, Savani et al. 2020, "A Study on Encodings for Neural
    Architecture Search", section on encodings, of every cell of the network, one after the other.

    Of each cell: the upper triangle of its adjacency matrix, row by row (1 where there is an edge; pairs of inputs have
    none and no feature), then for each place of an operator one feature per word of the vocabulary, 1 for the operator
    that stands there. Different networks have different cells (`SearchSpace.structure`), and so different rows.

    Args:
        space: where the genotypes are from.
        genotypes: n members of the space.

    Returns:
        [n, d], d the sum over cells of pairs of vertices and of places times words.

    Raises:
        SpaceError: the space does not say how its operators are wired.
    """
    template = space.structure(space.smallest())
    encoded = np.zeros((len(genotypes), sum(len(_pairs(cell)) + _labels(cell) for cell in template)))
    pairs = [{pair: index for index, pair in enumerate(_pairs(cell))} for cell in template]
    words = [{word: index for index, word in enumerate(cell.vocabulary)} for cell in template]
    for row, genotype in zip(encoded, genotypes, strict=True):
        start = 0
        for cell, edges, vocabulary in zip(space.structure(genotype), pairs, words, strict=True):
            for edge in cell.edges:
                row[start + edges[edge]] = 1.0
            start += len(edges)
            for place, operator in enumerate(cell.operators):
                if operator is not None:
                    row[start + place * len(vocabulary) + vocabulary[operator]] = 1.0
            start += _labels(cell)
    return encoded


def _pairs(cell: Cell) -> list[tuple[int, int]]:
    """Every edge that the cell might have."""
    vertices = cell.output + 1
    return [(a, b) for a in range(vertices) for b in range(max(a + 1, cell.inputs), vertices)]


def _labels(cell: Cell) -> int:
    return len(cell.operators) * len(cell.vocabulary)
