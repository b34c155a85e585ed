"""The virtual board: the firmware of a real board on an emulated core."""

from ._counting import InferenceCount
from ._machine import VirtualBoard

__all__ = ["InferenceCount", "VirtualBoard"]
