"""What the generated header tells the application engineer beyond the network itself."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.memory import EmbeddedCode


@dataclass(frozen=True)
class ModelInfo:
    """Facts about a model that its graph does not hold.

    Attributes:
        name: The model's name; the firmware reports it.
        description: One line for the header, for example the data set and the accuracy.
        labels: Class names in the order of the outputs; empty if the output is no classification.
        scale: Factor from a raw value (a pixel of 0 to 255) to the range in which `mean` and `std` are given.
        mean: Per input channel, or one for all.
        std: As `mean`. The network's real input is (raw * scale - mean) / std.
        raw_values: What a raw value is, in words.
        uint8_tensors: Names of the inputs and outputs that are uint8 in the model file; the network's are int8.
        embedded: What its code and stack take, per core and compiler; for the header's comment.
    """

    name: str = "model"
    description: str = ""
    labels: tuple[str, ...] = ()
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    raw_values: str = "one value per element"
    uint8_tensors: tuple[str, ...] = ()
    embedded: tuple[EmbeddedCode, ...] = ()

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not self.mean:
            raise ValueError(f"mean and std need one value per channel, got {len(self.mean)} and {len(self.std)}")
        if not all(self.std):
            raise ValueError("std must not be zero")
