"""Quantities that follow from independent choices, as polynomials in the probabilities of the choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

Value = TypeVar("Value")

Term = tuple[int, ...]
"""Positions in the vector of all probabilities, at most one for each choice: their product is a probability."""

# Far below what a choice is drawn with, and far from the smallest float32.
_TINY = 1e-20


@dataclass(frozen=True)
class Mixture(Generic[Value]):
    """The distribution of a discrete quantity, given that it exists.

    Attributes:
        values: what it may be.
        terms: for each value, the products of probabilities whose sum is how likely it is; over all values they add
            up to how likely it is that the quantity exists.
    """

    values: tuple[Value, ...]
    terms: tuple[tuple[Term, ...], ...]


class Products:
    """Products of probabilities, all computed at once.

    Args:
        terms: the positions of the factors of each product.
        device: where the probabilities are.
    """

    def __init__(self, terms: Sequence[Term], device: torch.device | str = "cpu") -> None:
        longest = max(map(len, terms), default=0)
        # Position -1 is the 1 behind all probabilities.
        rows = [[*term, *[-1] * (longest - len(term))] for term in terms]
        self._positions = torch.tensor(rows, dtype=torch.int64, device=device).reshape(len(terms), longest)

    def __call__(self, probabilities: torch.Tensor) -> torch.Tensor:
        """[terms] products of [n] probabilities."""
        extended = torch.cat([probabilities, probabilities.new_ones(1)])
        positions = torch.where(self._positions < 0, len(probabilities), self._positions)
        return extended[positions].prod(dim=1)


class Mixtures:
    """The weights of the values of many mixtures, given the probabilities of the choices.

    Args:
        mixtures: by any key.
        device: where the probabilities are.
    """

    def __init__(self, mixtures: Mapping[object, Mixture[Any]], device: torch.device | str = "cpu") -> None:
        terms: list[Term] = []
        self._parts: dict[object, tuple[slice, torch.Tensor]] = {}
        for key, mixture in mixtures.items():
            start = len(terms)
            terms += [term for of_value in mixture.terms for term in of_value]
            value_of = [value for value, of_value in enumerate(mixture.terms) for _ in of_value]
            self._parts[key] = (slice(start, len(terms)), torch.tensor(value_of, dtype=torch.int64, device=device))
        self._sizes = {key: len(mixture.values) for key, mixture in mixtures.items()}
        self._products = Products(terms, device)

    def __call__(self, probabilities: torch.Tensor) -> dict[object, torch.Tensor]:
        """By key, [values] weights that add up to 1; where the quantity cannot exist they are 0."""
        products = self._products(probabilities)
        weights = {}
        for key, (part, value_of) in self._parts.items():
            sums = products.new_zeros(self._sizes[key]).index_add(0, value_of, products[part])
            weights[key] = sums / sums.sum().clamp_min(_TINY)
        return weights
