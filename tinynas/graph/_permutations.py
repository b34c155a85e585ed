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


def only_one(permutations: Sequence[Permutation]) -> Permutation | None:
    """The one that all of them are; None where they differ, and where there are none."""
    return permutations[0] if len(set(permutations)) == 1 else None


def moves_nothing(permutation: Permutation, shape: Sequence[int]) -> bool:
    """Whether a TRANSPOSE of a tensor of this shape keeps the order of all dimensions but those of 1."""
    moved = [axis for axis in permutation if shape[axis] != 1]
    return moved == sorted(moved)
