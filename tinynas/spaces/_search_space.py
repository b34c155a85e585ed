"""The protocol of search spaces: what strategies, predictors and the pipeline may ask of any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tinynas.spaces._block import Architecture
from tinynas.spaces._cell import Cell
from tinynas.spaces._variables import Genotype, Variable


@runtime_checkable
class SearchSpace(Protocol):
    """A set of networks, each known by a genotype: one integer per variable.

    Equal networks have equal genotypes, so that nothing is scored twice and `size` counts networks. The same generator
    state gives the same draws. Nothing is said of what networks look like: a chain of blocks, one cell that is
    repeated, a path through resolutions.

    `VariableSpace` has all of it but `decode`, from the variables alone. Implementations pass
    `tinynas.testing.BaseSpaceTestCase`.
    """

    @property
    def name(self) -> str:
        """By which it is named in configurations and messages."""
        ...

    @property
    def description(self) -> str:
        """What it is for, in one line."""
        ...

    @property
    def variables(self) -> tuple[Variable, ...]:
        """One per position of a genotype; a variable may only depend on earlier ones."""
        ...

    @property
    def width_multipliers(self) -> tuple[float, ...]:
        """The width multipliers that the space was designed for, ascending; (1.0,) if it has one width."""
        ...

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The input resolutions that the space was designed for, in pixels, ascending."""
        ...

    def configurations(self, max_resolution: int | None = None) -> list[tuple[float, int]]:
        """All (width multiplier, resolution) pairs of the space, up to `max_resolution` (that of the data set)."""
        ...

    def size(self) -> int:
        """The exact number of distinct networks at one width and resolution."""
        ...

    def smallest(self) -> Genotype:
        """Every variable at its first value: where `shrink` ends."""
        ...

    def largest(self) -> Genotype:
        """Every variable at its last value."""
        ...

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A random member; every member can be drawn."""
        ...

    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """Every member that differs from `genotype` in the value of one active variable, each once, in a fixed order.

        Variables that the change puts to sleep become `INACTIVE`, those that it wakes get their first value.
        """
        ...

    def mutate(self, genotype: Genotype, rng: np.random.Generator, rate: float = 0.1) -> Genotype:
        """A random member near `genotype`: each variable changed with probability `rate`, and at least one.

        A space of one network returns `genotype` itself.
        """
        ...

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        """A child of `a` and `b`, which has each variable from either."""
        ...

    def shrink(self, genotype: Genotype, rng: np.random.Generator) -> Genotype | None:
        """`genotype` with one random variable one value smaller (for repair); None if it is the smallest."""
        ...

    def enumerate(self) -> Iterator[Genotype]:
        """Every member once, in a fixed order. Check `size` first."""
        ...

    def check(self, genotype: Sequence[int]) -> None:
        """Check membership.

        Raises:
            SpaceError: `genotype` is not a canonical member of this space; the message names the variable.
        """
        ...

    def decode(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 3, classes: int = 1000
    ) -> Architecture:
        """The network of `genotype`; `build_graph` makes a `Graph` of it.

        Args:
            genotype: a member of this space.
            width: width multiplier.
            resolution: side of the square input in pixels.
            input_channels: 1 or 3, or what the data set has.
            classes: number of logits.

        Returns:
            Blocks from an input [1, resolution, resolution, input_channels] to logits [1, classes]. Costs of blocks are
            cached, so the finer the cheaper; a network that is no chain is one block.

        Raises:
            SpaceError: `genotype` is not a member of this space, or a number is not positive.
        """
        ...

    def describe(self, genotype: Genotype) -> dict[str, Any]:
        """`genotype` for people, as JSON values.

        Raises:
            SpaceError: `genotype` is not a member of this space.
        """
        ...

    def from_description(self, description: Mapping[str, Any]) -> Genotype:
        """The genotype that `describe` described.

        Raises:
            SpaceError: something is missing, unknown, or out of the space; the message names it.
        """
        ...

    def structure(self, genotype: Genotype) -> tuple[Cell, ...]:
        """How the operators of a network are wired, for encodings by adjacency and by paths.

        Raises:
            SpaceError: the space does not say.
        """
        ...

    def definition(self) -> dict[str, Any]:
        """What defines the space, as JSON values: a run that is resumed must find the same."""
        ...
