"""Encodings by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.plugins import OWN
from tinynas.registry import Registry
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._search_space import SearchSpace
from tinynas.spaces._variables import Genotype
from tinynas.spaces.encodings._adjacency import adjacency
from tinynas.spaces.encodings._one_hot import one_hot
from tinynas.spaces.encodings._ordinal import ordinal
from tinynas.spaces.encodings._path import path


@dataclass(frozen=True)
class Encoding:
    """An encoding that can be had by its name.

    Attributes:
        name: as in a configuration.
        description: one line for listings.
        function: from a space and n of its genotypes to [n, d].
        injective: whether different networks always have different rows.
    """

    name: str
    description: str
    function: Callable[[SearchSpace, Sequence[Genotype]], npt.NDArray[np.float64]]
    injective: bool = True


_ENCODINGS = Registry("encoding", Encoding, SpaceError)

for _encoding in (
    Encoding("one-hot", "one feature for each value of each variable", one_hot),
    Encoding("ordinal", "each variable between 0 and 1, -1 where it is not active", ordinal),
    Encoding("adjacency", "the edges of each cell, and the operator at each vertex", adjacency),
    Encoding("path", "the paths of operators through each cell", path, injective=False),
):
    _ENCODINGS.register(_encoding, OWN)


def encoding_names() -> list[str]:
    """Every name there is."""
    return _ENCODINGS.names()


def encoding(name: str) -> Encoding:
    """The encoding of that name.

    Raises:
        SpaceError: there is none; names the nearest.
    """
    return _ENCODINGS.get(name)


def encode(space: SearchSpace, genotypes: Sequence[Genotype], name: str) -> npt.NDArray[np.float64]:
    """The genotypes as vectors.

    Args:
        space: where the genotypes are from.
        genotypes: n members of the space.
        name: of an encoding (`encoding_names`).

    Returns:
        [n, d]; d depends on the space and the encoding alone.

    Raises:
        SpaceError: there is no such encoding, or the space does not have it.
    """
    return encoding(name).function(space, genotypes)
