"""The operators, one file each: `OpSpec`, attributes, shapes, and the reference in integers and float32.

A file whose name does not begin with an underscore gives `SPECS`, one or several that share their attributes. Nothing
else lists them.
"""

import pkgutil
from importlib import import_module

from tinynas.graph._operator import OPERATORS, OpKind, OpSpec
from tinynas.plugins import OWN

__all__ = ["OWN_KINDS", "REWRITTEN"]


def _specs() -> list[OpSpec]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return [spec for name in names for spec in import_module(f"{__name__}.{name}").SPECS]


for _spec in sorted(_specs(), key=lambda spec: spec.name):
    OPERATORS.register(_spec, OWN)

OWN_KINDS = tuple(OpKind(name) for name in sorted(spec.name for spec in _specs()))
"""The operators of this package, by name."""

REWRITTEN = frozenset(kind for kind in OWN_KINDS if kind.spec.rewritten is not None)
"""Operators of files that no kernel runs: `tinynas.graph.passes` makes a RESHAPE or a constant of each."""
