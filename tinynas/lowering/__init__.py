"""Lowering: from a graph to the schedule of kernel calls that our engine executes."""

from tinynas.lowering._addresses import WEIGHTED, address_bytes, operand_positions
from tinynas.lowering._catalogue import CATALOGUE, UnsupportedGraphError, select_variant
from tinynas.lowering._depthwise_variants import (
    OVERLAPPED,
    PAIRED,
    Plane,
    half_plane_of,
    half_row_words,
    plane_of,
    row_words,
)
from tinynas.lowering._dot_variants import column_order, dense_shape
from tinynas.lowering._lower import lower
from tinynas.lowering._lowering import DSP_LOWERING, Lowering
from tinynas.lowering._patches import PatchError, PatchPlan
from tinynas.lowering._schedule import Band, Buffer, Schedule, Step
from tinynas.lowering._unweighted_variants import reduced_view
from tinynas.lowering._variants import KERNEL_FLAGS, MODEL_FLAGS, POINTER, InstructionSet, KernelCall, KernelVariant

__all__ = [
    "CATALOGUE",
    "DSP_LOWERING",
    "KERNEL_FLAGS",
    "MODEL_FLAGS",
    "OVERLAPPED",
    "PAIRED",
    "POINTER",
    "WEIGHTED",
    "Band",
    "Buffer",
    "InstructionSet",
    "KernelCall",
    "KernelVariant",
    "Lowering",
    "PatchError",
    "PatchPlan",
    "Plane",
    "Schedule",
    "Step",
    "UnsupportedGraphError",
    "address_bytes",
    "column_order",
    "dense_shape",
    "half_plane_of",
    "half_row_words",
    "lower",
    "operand_positions",
    "plane_of",
    "reduced_view",
    "row_words",
    "select_variant",
]
