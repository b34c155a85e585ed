"""Everything of a search space that follows from its variables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from tinynas.registry import closest
from tinynas.spaces._block import Architecture
from tinynas.spaces._cell import Cell
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._variables import INACTIVE, Genotype, Variable, activity, check_variables, count_genotypes

_ATTEMPTS = 100


def check_sizes(width: float, resolution: int, input_channels: int, classes: int) -> None:
    """Check what `SearchSpace.decode` is given beside the genotype.

    Raises:
        SpaceError: a number is not positive.
    """
    if width <= 0 or resolution < 1 or input_channels < 1 or classes < 1:
        raise SpaceError(
            f"width, resolution, input channels and classes must be positive, got {width}, {resolution}, "
            f"{input_channels}, {classes}"
        )


class VariableSpace(ABC):
    """A `SearchSpace` but for `decode`: inherit it, hand it the variables, and say which network a genotype is.

    Where two settings of the variables are one network although every active variable differs in meaning (two operands
    of an addition, swapped), override `canonical` to choose one of them, and `size` to count them once.

    Args:
        name: by which configurations and messages name the space.
        variables: one per position of a genotype.
        description: what the space is for, in one line.
        width_multipliers: those that it was designed for, ascending.
        resolutions: sides of the square input that it was designed for, in pixels, ascending.

    Raises:
        SpaceError: the variables make no space; the message names the one at fault.
    """

    def __init__(
        self,
        name: str,
        variables: Sequence[Variable],
        *,
        description: str = "",
        width_multipliers: Sequence[float] = (1.0,),
        resolutions: Sequence[int],
    ) -> None:
        check_variables(variables)
        self.name = name
        self.description = description
        self.variables = tuple(variables)
        self.width_multipliers = tuple(width_multipliers)
        self.resolutions = tuple(resolutions)

    @abstractmethod
    def decode(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 3, classes: int = 1000
    ) -> Architecture:
        """See `SearchSpace.decode`."""

    def structure(self, genotype: Genotype) -> tuple[Cell, ...]:
        """See `SearchSpace.structure`; override it where wiring means something."""
        raise SpaceError(f"space {self.name!r} does not say how its operators are wired: take another encoding")

    def canonical(self, values: Sequence[int]) -> Genotype:
        """The one genotype of the network of `values`: `INACTIVE` where a variable is not active.

        An override must be idempotent, and keep genotypes within the space.
        """
        awake = activity(self.variables, values)
        return tuple([value if here else INACTIVE for value, here in zip(values, awake, strict=True)])

    def configurations(self, max_resolution: int | None = None) -> list[tuple[float, int]]:
        """See `SearchSpace.configurations`."""
        sides = [side for side in self.resolutions if max_resolution is None or side <= max_resolution]
        return list(product(self.width_multipliers, sides))

    def size(self) -> int:
        """See `SearchSpace.size`."""
        return count_genotypes(self.variables)

    def smallest(self) -> Genotype:
        """See `SearchSpace.smallest`."""
        return self.canonical([variable.values[0] for variable in self.variables])

    def largest(self) -> Genotype:
        """See `SearchSpace.largest`."""
        return self.canonical([variable.values[-1] for variable in self.variables])

    def sample(self, rng: np.random.Generator) -> Genotype:
        """Each variable drawn uniformly and independently (uniform over choices, not over distinct networks)."""
        draws = rng.random(len(self.variables)).tolist()
        return self.canonical(
            [variable.values[int(draw * len(variable.values))] for variable, draw in self._with(draws)]
        )

    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """See `SearchSpace.neighbours`; in the order of the variables, then of their values."""
        awake = activity(self.variables, genotype)
        seen = {genotype}
        for position, variable in enumerate(self.variables):
            for value in variable.values if awake[position] else ():
                neighbour = self._changed(genotype, awake, position, value)
                if neighbour not in seen:
                    seen.add(neighbour)
                    yield neighbour

    def mutate(self, genotype: Genotype, rng: np.random.Generator, rate: float = 0.1) -> Genotype:
        """Each active variable redrawn with probability `rate`, and at least one; what that wakes is drawn at random.

        A redraw excludes the old value, so that the result differs.
        """
        awake = activity(self.variables, genotype)
        for _ in range(_ATTEMPTS):  # the first, but for a symmetry that `canonical` undoes
            draws = rng.random((2, len(self.variables))).tolist()
            mutable = [p for p, variable in enumerate(self.variables) if awake[p] and len(variable.values) > 1]
            if not mutable:
                break
            forced = mutable[int(rng.integers(len(mutable)))]
            values: list[int] = []
            for position, (variable, old) in enumerate(self._with(genotype)):
                others = [v for v in variable.values if v != old] if awake[position] else list(variable.values)
                redrawn = not awake[position] or position == forced or draws[0][position] < rate
                values.append(others[int(draws[1][position] * len(others))] if others and redrawn else old)
            mutant = self.canonical(values)
            if mutant != genotype:
                return mutant
        return genotype

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        """Uniform crossover: each variable from `a` or `b` with equal probability.

        A variable that is not active in the parent drawn is taken from the other; one that is active in neither gets
        its first value.
        """
        from_a = (rng.random(len(self.variables)) < 0.5).tolist()
        awake_a, awake_b = activity(self.variables, a), activity(self.variables, b)
        values: list[int] = []
        for position, variable in enumerate(self.variables):
            if awake_a[position] and (from_a[position] or not awake_b[position]):
                values.append(a[position])
            else:
                values.append(b[position] if awake_b[position] else variable.values[0])
        return self.canonical(values)

    def shrink(self, genotype: Genotype, rng: np.random.Generator) -> Genotype | None:
        """One random active variable gets the value before its own; what that wakes gets its first value."""
        awake = activity(self.variables, genotype)
        reducible = [
            p for p, (variable, value) in enumerate(self._with(genotype)) if awake[p] and value != variable.values[0]
        ]
        if not reducible:
            return None
        position = reducible[int(rng.integers(len(reducible)))]
        values = self.variables[position].values
        return self._changed(genotype, awake, position, values[values.index(genotype[position]) - 1])

    def enumerate(self) -> Iterator[Genotype]:
        """See `SearchSpace.enumerate`; in lexicographic order of the positions of values, from the smallest on."""
        chosen = [0] * len(self.variables)
        while True:
            values = [variable.values[index] for variable, index in self._with(chosen)]
            awake = activity(self.variables, values)
            genotype = tuple([value if here else INACTIVE for value, here in zip(values, awake, strict=True)])
            if self.canonical(genotype) == genotype:
                yield genotype
            position = len(chosen) - 1
            while position >= 0 and (
                not awake[position] or chosen[position] + 1 == len(self.variables[position].values)
            ):
                position -= 1
            if position < 0:
                return
            chosen[position:] = [chosen[position] + 1] + [0] * (len(chosen) - position - 1)

    def check(self, genotype: Sequence[int]) -> None:
        """See `SearchSpace.check`."""
        if len(genotype) != len(self.variables):
            raise SpaceError(f"a genotype of this space has {len(self.variables)} genes, got {len(genotype)}")
        awake: list[bool] = []
        for position, (variable, value) in enumerate(self._with(genotype)):
            awake.append(all(awake[parent] and genotype[parent] in values for parent, values in variable.requires))
            if not awake[-1] and value != INACTIVE:
                raise SpaceError(f"gene {position}, {variable.name}, is inactive and must be {INACTIVE}, got {value}")
            if awake[-1] and value not in variable.values:
                allowed = list(variable.values)
                raise SpaceError(f"gene {position}, {variable.name}, must be one of {allowed}, got {value}")
        if (canonical := self.canonical(genotype)) != tuple(genotype):
            raise SpaceError(f"genotype {list(genotype)} is written {list(canonical)} in space {self.name!r}")

    def describe(self, genotype: Genotype) -> dict[str, Any]:
        """See `SearchSpace.describe`: the active variables with what their values are called."""
        self.check(genotype)
        awake = activity(self.variables, genotype)
        return {
            variable.name: variable.label(value)
            for (variable, value), here in zip(self._with(genotype), awake, strict=True)
            if here
        }

    def from_description(self, description: Mapping[str, Any]) -> Genotype:
        """See `SearchSpace.from_description`."""
        names = [variable.name for variable in self.variables]
        for name in description:
            if name not in names:
                raise SpaceError(f"unknown variable {name!r}; {closest(name, names)}")
        values: list[int] = []
        for position, variable in enumerate(self.variables):
            labels = [variable.label(value) for value in variable.values]
            described = description.get(variable.name)
            if described is None:
                values.append(INACTIVE)
            elif described in labels:
                values.append(variable.values[labels.index(described)])
            else:
                raise SpaceError(f"{variable.name} must be one of {labels}, got {described!r}")
            if described is None and activity(self.variables[: position + 1], values)[-1]:
                raise SpaceError(f"{variable.name} is missing: one of {labels}")
        self.check(values)
        return tuple(values)

    def definition(self) -> dict[str, Any]:
        """See `SearchSpace.definition`."""
        return {
            "name": self.name,
            "width_multipliers": list(self.width_multipliers),
            "resolutions": list(self.resolutions),
            "variables": [
                {
                    "name": variable.name,
                    "values": list(variable.values),
                    "ordinal": variable.ordinal,
                    "requires": [[position, list(values)] for position, values in variable.requires],
                    "labels": list(variable.labels),
                }
                for variable in self.variables
            ],
        }

    def _with(self, values: Sequence[Any]) -> Iterator[tuple[Variable, Any]]:
        """Each variable with its value; the values must be as many."""
        return zip(self.variables, values, strict=True)

    def _changed(self, genotype: Genotype, awake: Sequence[bool], position: int, value: int) -> Genotype:
        """`genotype`, whose active variables are `awake`, with one value changed; what wakes gets its first value."""
        values = [
            old if was_awake else variable.values[0]
            for (variable, old), was_awake in zip(self._with(genotype), awake, strict=True)
        ]
        values[position] = value
        return self.canonical(values)
