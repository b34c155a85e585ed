"""What there is of each family that a user may choose from or add to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tinynas.errors import UsageError
from tinynas.evaluation import list_evaluators
from tinynas.graph import OpKind, list_operators
from tinynas.kernels import kernels_of
from tinynas.plugins import Listed
from tinynas.registry import closest
from tinynas.search import list_methods, list_strategies
from tinynas.spaces import list_block_kinds, list_spaces


class UnknownFamilyError(UsageError):
    """There is no such family of parts."""


class Part(NamedTuple):
    """One line of a listing.

    Attributes:
        name: by which a configuration, a space file or a model file names it.
        kind: what it is, in one word.
        description: one line; of a plugin that cannot be used, `broken: ` and why.
        source: `tinynas`, or the distribution that it comes from.
    """

    name: str
    kind: str
    description: str
    source: str


def _operators() -> list[Listed]:
    """The operators that a model file may have, with the kernels for them or what becomes of them."""
    return [part if part.description.startswith("broken: ") else _operator(part) for part in list_operators()]


def _operator(part: Listed) -> Listed:
    kind = OpKind(part.name)
    kernels = len(kernels_of(kind))
    if kernels:
        return part._replace(description=f"{kernels} kernel{'s' if kernels > 1 else ''}")
    return part._replace(description=kind.spec.rewritten or kind.spec.without_kernel or "no kernel: read, not executed")


_FAMILIES: Mapping[str, tuple[str, Callable[[], list[Listed]]]] = MappingProxyType(
    {
        "methods": ("search method", list_methods),
        "strategies": ("strategy", list_strategies),
        "evaluators": ("evaluator", list_evaluators),
        "spaces": ("space", list_spaces),
        "block-kinds": ("block kind", list_block_kinds),
        "operators": ("operator", _operators),
    }
)


def parts_of(family: str | None = None) -> dict[str, list[Part]]:
    """The parts of one family, or of each; plugins are imported now.

    Raises:
        UnknownFamilyError: there is no such family; names the nearest.
    """
    if family is not None and family not in _FAMILIES:
        raise UnknownFamilyError(f"there is nothing called {family!r} to list; {closest(family, list(_FAMILIES))}")
    return {
        name: [Part(part.name, kind, part.description, part.source) for part in listed()]
        for name, (kind, listed) in _FAMILIES.items()
        if family in (None, name)
    }
