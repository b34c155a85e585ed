"""What attributes of operators have in common: their base class, padding, and the activation that is fused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Padding(StrEnum):
    """TensorFlow padding: SAME pads so that out = ceil(in / stride), the odd row or column at the bottom or right."""

    SAME = "SAME"
    VALID = "VALID"


class Activation(StrEnum):
    """Fused activations of the TFLite schema that the engine supports."""

    NONE = "NONE"
    RELU = "RELU"
    RELU_N1_TO_1 = "RELU_N1_TO_1"
    RELU6 = "RELU6"


@dataclass(frozen=True)
class Attributes:
    """What an operator has beside its tensors. Each operator has a frozen dataclass of its own, or shares one."""
