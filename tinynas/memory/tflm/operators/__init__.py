"""What TFLM keeps for each operator, one file an operator or a few that are alike.

A file whose name does not begin with an underscore gives `OPERATORS`. Nothing else lists them.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from tinynas.graph import Op
from tinynas.memory.tflm.operators._needs import (
    INDEX_BYTES,
    OPERATOR_CONSTANT,
    KernelNeeds,
    TflmOperator,
    TflmUnsupportedError,
)

__all__ = [
    "INDEX_BYTES",
    "OPERATORS",
    "OPERATOR_CONSTANT",
    "KernelNeeds",
    "TflmOperator",
    "TflmUnsupportedError",
    "tflm_operator",
]

OPERATORS: Mapping[str, TflmOperator] = MappingProxyType(
    {
        operator.name: operator
        for module in sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
        for operator in import_module(f"{__name__}.{module}").OPERATORS
    }
)
"""By the names of the operators."""


def tflm_operator(op: Op) -> TflmOperator:
    """What TFLM keeps for an operator.

    Raises:
        TflmUnsupportedError: It is not known.
    """
    if op.kind not in OPERATORS:
        raise TflmUnsupportedError(f"{op.kind} {op.name!r}: what TFLM keeps for this operator is not known")
    return OPERATORS[op.kind]
