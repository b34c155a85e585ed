"""The genes of a space: which integers a genotype is made of, and the operations that need nothing but them.

A genotype lists, stage by stage, the depth and then, for each block up to the largest depth, the value of each
choice of the stage's block kind. The genes of a block beyond the depth are 0. That is the canonical form: two
genotypes are equal exactly when their networks are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tinynas.spaces._kinds import SpaceError

Genotype = tuple[int, ...]


@dataclass(frozen=True)
class StageGenes:
    """The genes of one stage: one for the depth, then `len(choices)` for each of `max(depths)` blocks."""

    name: str
    depths: tuple[int, ...]
    choices: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def length(self) -> int:
        return 1 + self.depths[-1] * len(self.choices)


@dataclass(frozen=True)
class Gene:
    """One position: its values in ascending order, its stage, and the block it belongs to (-1: it is the depth)."""

    values: tuple[int, ...]
    depth_position: int
    block: int


class Genes:
    """All genes of a space, in order.

    Args:
        stages: the genes of each stage.
    """

    def __init__(self, stages: Sequence[StageGenes]) -> None:
        self.stages = tuple(stages)
        genes: list[Gene] = []
        for stage in self.stages:
            position = len(genes)
            genes.append(Gene(stage.depths, position, -1))
            for block in range(stage.depths[-1]):
                genes.extend(Gene(values, position, block) for _, values in stage.choices)
        self.positions = tuple(genes)

    def __len__(self) -> int:
        return len(self.positions)

    def size(self) -> int:
        """The exact number of distinct networks: the product over stages of the sum over depths d of choices^d."""
        total = 1
        for stage in self.stages:
            per_block = math.prod(len(values) for _, values in stage.choices)
            total *= sum(per_block**depth for depth in stage.depths)
        return total

    def largest(self) -> Genotype:
        """Every gene at its largest value."""
        return tuple(gene.values[-1] for gene in self.positions)

    def smallest(self) -> Genotype:
        """The smallest depth everywhere, every active gene at its smallest value."""
        return self.canonical([gene.values[0] for gene in self.positions])

    def canonical(self, values: Sequence[int]) -> Genotype:
        """`values` with the genes of inactive blocks set to 0."""
        return tuple(
            value if gene.block < values[gene.depth_position] else 0
            for gene, value in zip(self.positions, values, strict=True)
        )

    def check(self, genotype: Sequence[int]) -> None:
        """Check that `genotype` is a canonical member of the space.

        Raises:
            SpaceError: it is not; the message names the gene.
        """
        if len(genotype) != len(self.positions):
            raise SpaceError(f"a genotype of this space has {len(self.positions)} genes, got {len(genotype)}")
        for position, (gene, value) in enumerate(zip(self.positions, genotype, strict=True)):
            if gene.block >= genotype[gene.depth_position]:
                if value != 0:
                    raise SpaceError(f"gene {position} belongs to an inactive block and must be 0, got {value}")
            elif value not in gene.values:
                raise SpaceError(f"gene {position} must be one of {list(gene.values)}, got {value}")

    def sample(self, rng: np.random.Generator) -> Genotype:
        """Each gene drawn uniformly and independently (uniform over choices, not over distinct networks)."""
        draws = rng.random(len(self.positions)).tolist()
        return self.canonical(
            [gene.values[int(draw * len(gene.values))] for gene, draw in zip(self.positions, draws, strict=True)]
        )

    def mutate(self, genotype: Genotype, rng: np.random.Generator, rate: float) -> Genotype:
        """Redraw each active gene with probability `rate`, and at least one, so that the result always differs.

        Blocks that a larger depth wakes get random genes. A space of one network returns `genotype` itself.
        """
        draws = rng.random((2, len(self.positions))).tolist()
        mutable = [p for p, gene in enumerate(self.positions) if genotype[p] != 0 and len(gene.values) > 1]
        if not mutable:
            return genotype
        forced = mutable[int(rng.integers(len(mutable)))]
        values: list[int] = []
        for position, (gene, old) in enumerate(zip(self.positions, genotype, strict=True)):
            # A redraw excludes the old value; for an inactive gene (0, not among the values) it excludes nothing.
            others = [value for value in gene.values if value != old]
            if others and (old == 0 or position == forced or draws[0][position] < rate):
                values.append(others[int(draws[1][position] * len(others))])
            else:
                values.append(old or gene.values[0])
        return self.canonical(values)

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        """Uniform crossover: each gene from `a` or `b` with equal probability.

        A block that is active in the child is active in the parent whose depth the child has, so a gene that is
        inactive in the parent drawn is taken from the other.
        """
        from_a = (rng.random(len(self.positions)) < 0.5).tolist()
        return self.canonical([(x or y) if first else (y or x) for x, y, first in zip(a, b, from_a, strict=True)])

    def shrink(self, genotype: Genotype, rng: np.random.Generator) -> Genotype | None:
        """`genotype` with one randomly chosen gene one step smaller; None if it is the smallest already."""
        reducible = [
            p for p, (gene, value) in enumerate(zip(self.positions, genotype, strict=True)) if value > gene.values[0]
        ]
        if not reducible:
            return None
        position = reducible[int(rng.integers(len(reducible)))]
        values = self.positions[position].values
        smaller = list(genotype)
        smaller[position] = values[values.index(genotype[position]) - 1]
        return self.canonical(smaller)

    def enumerate(self) -> Iterator[Genotype]:
        """Every genotype of the space once, from the smallest on. Check `size` first."""
        per_stage = [list(self._enumerate_stage(stage)) for stage in self.stages]
        for parts in product(*per_stage):
            yield tuple(value for part in parts for value in part)

    @staticmethod
    def _enumerate_stage(stage: StageGenes) -> Iterator[Genotype]:
        settings = list(product(*(values for _, values in stage.choices)))
        for depth in stage.depths:
            idle = (0,) * ((stage.depths[-1] - depth) * len(stage.choices))
            for blocks in product(settings, repeat=depth):
                yield (depth, *(value for block in blocks for value in block), *idle)
