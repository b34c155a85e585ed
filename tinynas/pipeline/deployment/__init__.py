"""A network on a board: its firmware built, flashed, run, and compared with the reference bit by bit."""

from tinynas.pipeline.deployment._connection import connected
from tinynas.pipeline.deployment._deployment import Deployment, deploy, load_memory_model
from tinynas.pipeline.deployment._flashing import flash
from tinynas.pipeline.deployment._measurement import (
    Counts,
    Int8Array,
    NetworkMeasurement,
    measure,
    random_inputs,
    warn_of_other_clock,
)

__all__ = [
    "Counts",
    "Deployment",
    "Int8Array",
    "NetworkMeasurement",
    "connected",
    "deploy",
    "flash",
    "load_memory_model",
    "measure",
    "random_inputs",
    "warn_of_other_clock",
]
