"""How operators occur in random networks, one file an operator or a few that are alike.

A file whose name does not begin with an underscore gives `RANDOM`. Nothing else lists them: what is here is drawn by
`random_int8_graph` and `random_float_graph`.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from tinynas.graph import OpKind
from tinynas.testing.operators._random_operator import DEVIATION, STEPS, GrowingNetwork, RandomOperator
from tinynas.testing.operators.unary import OF_LITERT, OF_TFLM, unary_attributes

__all__ = [
    "DEVIATION",
    "OF_ONE_RUNTIME",
    "RANDOM_OPERATORS",
    "STEPS",
    "GrowingNetwork",
    "RandomOperator",
    "unary_attributes",
]

OF_ONE_RUNTIME = frozenset(OpKind(name) for name in (*OF_LITERT, *OF_TFLM))
"""Operators that LiteRT's reference kernels have and TFLM has not, or the other way round."""


def _random_operators() -> list[RandomOperator]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return [operator for name in names for operator in import_module(f"{__name__}.{name}").RANDOM]


RANDOM_OPERATORS: Mapping[OpKind, RandomOperator] = MappingProxyType(
    {OpKind(operator.name): operator for operator in _random_operators()}
)
