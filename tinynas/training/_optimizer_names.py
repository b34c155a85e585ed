"""What optimizers are called in configurations; needs no torch."""

from __future__ import annotations

from typing import Literal

OptimizerName = Literal["sgd", "adam", "adamw", "muon"]
