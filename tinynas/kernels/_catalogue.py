"""The closed list of kernels. Flash is predictable to the byte because nothing outside it is ever linked."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from tinynas.graph import OpKind
from tinynas.kernels._errors import UnsupportedGraphError
from tinynas.kernels._kernel import KernelCall, KernelVariant


def _kernels() -> list[KernelVariant]:
    """The `KERNELS` of all families, which are the folders beside this file, in the order of their names."""
    found = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.ispkg)
    kernels = [kernel for name in found for kernel in import_module(f"tinynas.kernels.{name}").KERNELS]
    return sorted(kernels, key=lambda kernel: kernel.last_resort)


CATALOGUE: Mapping[str, KernelVariant] = MappingProxyType({kernel.name: kernel for kernel in _kernels()})
"""Kernel variants by name. Where several apply to an operator, the first one is used."""


@cache
def kernels_of(kind: OpKind) -> tuple[KernelVariant, ...]:
    """The kernels of an operator, in the catalogue's order; none where the engine has none."""
    return tuple(variant for variant in CATALOGUE.values() if variant.implements(kind))


def by_rule(call: KernelCall) -> Iterator[KernelVariant]:
    """The variants that can execute the call and that the local rule may choose, in the order of its preference.

    Those that are not to be linked count where there is no other.
    """
    allowed = (v for v in kernels_of(call.op.kind) if not v.for_speed and v.executes(call))
    if not call.unlinked:
        return allowed  # who wants the first one does not ask the others
    executing = list(allowed)
    return iter([v for v in executing if v.name not in call.unlinked] or executing)


def for_few_rows(call: KernelCall) -> KernelVariant | None:
    """The variant for few rows at a time that the local rule may choose, if there is one."""
    preferred = (v for v in kernels_of(call.op.kind) if v.few_rows and not v.for_speed and v.executes(call))
    variant = next(preferred, None)
    if variant is None or not call.unlinked:
        return variant
    return next((v for v in by_rule(call) if v.few_rows), None)


def select_variant(call: KernelCall) -> KernelVariant:
    """The first variant of the catalogue that can execute the call, of those that the local rule may choose.

    Raises:
        UnsupportedGraphError: There is none.
    """
    for variant in by_rule(call):
        return variant
    shapes = ", ".join(str(list(t.shape)) for t in call.operands)
    raise UnsupportedGraphError(
        f"{call.op.kind} {call.op.name!r}: no kernel of the engine covers it (inputs {shapes}, {call.op.attributes})"
    )
