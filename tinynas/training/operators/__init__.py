"""Torch semantics of the graph's operators, on NHWC tensors, one file an operator or a few that are alike.

Activations keep the graph's NHWC shapes. A convolution sees its input through a permuted view, which torch recognises
as channels_last, so that no data moves; everything else reads exactly as the operator's definition does.

A file whose name does not begin with an underscore gives `FORWARD`: by the names of operators without weights, what
computes them. Nothing else lists them.
"""

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType

import torch

from tinynas.errors import UsageError
from tinynas.graph import Op
from tinynas.training.operators._activation import activate_
from tinynas.training.operators._convolutions import convolve
from tinynas.training.operators._fully_connected import fully_connected

__all__ = ["activate_", "apply_weightless", "convolve", "fully_connected"]

_FORWARD: Mapping[str, Callable[[Op, Sequence[torch.Tensor]], torch.Tensor]] = MappingProxyType(
    {
        name: forward
        for module in sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
        for name, forward in import_module(f"{__name__}.{module}").FORWARD.items()
    }
)


def apply_weightless(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Execute an operator that holds no weights. The leading dimension of every tensor is the batch.

    Raises:
        UsageError: the operator has no float semantics to train (QUANTIZE, DEQUANTIZE).
    """
    if op.kind not in _FORWARD:
        raise UsageError(f"operator {op.name!r}: {op.kind} cannot be trained; give a float graph without it")
    return _FORWARD[op.kind](op, inputs)
