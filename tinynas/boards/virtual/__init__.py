"""The virtual board: the firmware of a real board on an emulated core."""

from ._bare_core import BareCore, CallReport, Grant, Right
from ._blocks import FunctionCount
from ._counting import InferenceCount
from ._machine import VirtualBoard

__all__ = [
    "BareCore",
    "CallReport",
    "FunctionCount",
    "Grant",
    "InferenceCount",
    "Right",
    "VirtualBoard",
]
