"""Permutations of dimensions: a TRANSPOSE by p has in dimension i what its input has in dimension p[i]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Permutation = tuple[int, ...]
T = TypeVar("T")


def identity(rank: int) -> Permutation:
    """The permutation that changes nothing."""
    return tuple(range(rank))


def permuted(values: Sequence[T], permutation: Permutation) -> tuple[T, ...]:
    """One value per dimension, after a TRANSPOSE. Of a permutation: what that and the TRANSPOSE are together."""
    return tuple(values[axis] for axis in permutation)


def inverse(permutation: Permutation) -> Permutation:
    """The permutation that takes it back."""
    return tuple(sorted(range(len(permutation)), key=permutation.__getitem__))
