"""ADD and MUL."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tinynas.graph import Op
from tinynas.training.operators._activation import activate_


def _add(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    return activate_(op, inputs[0] + inputs[1])


def _mul(op: Op, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    return activate_(op, inputs[0] * inputs[1])


FORWARD = {"ADD": _add, "MUL": _mul}
