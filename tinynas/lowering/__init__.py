"""Lowering: from a graph to the schedule of kernel calls that our engine executes."""

from tinynas.lowering._addresses import WEIGHTED, address_bytes, operand_positions
from tinynas.lowering._catalogue import CATALOGUE, UnsupportedGraphError, select_variant
from tinynas.lowering._depthwise_variants import OVERLAPPED, PAIRED, row_words
from tinynas.lowering._dot_variants import column_order, column_pairs, dense_shape
from tinynas.lowering._exchange import VariantError, exchangeable, layers, with_variants
from tinynas.lowering._lower import lower
from tinynas.lowering._lowering import DSP_LOWERING, Lowering
from tinynas.lowering._packed_variants import PACKED_BLOCK, PACKED_UNROLLED
from tinynas.lowering._patches import PatchError, PatchPlan
from tinynas.lowering._planes import Plane, half_plane_of, half_row_words, plane_of, plane_of_quads
from tinynas.lowering._schedule import Band, Buffer, Schedule, Step
from tinynas.lowering._unweighted_variants import reduced_view
from tinynas.lowering._variants import KERNEL_FLAGS, MODEL_FLAGS, POINTER, InstructionSet, KernelCall, KernelVariant

__all__ = [
    "CATALOGUE",
    "DSP_LOWERING",
    "KERNEL_FLAGS",
    "MODEL_FLAGS",
    "OVERLAPPED",
    "PACKED_BLOCK",
    "PACKED_UNROLLED",
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
    "VariantError",
    "address_bytes",
    "column_order",
    "column_pairs",
    "dense_shape",
    "exchangeable",
    "half_plane_of",
    "half_row_words",
    "layers",
    "lower",
    "operand_positions",
    "plane_of",
    "plane_of_quads",
    "reduced_view",
    "row_words",
    "select_variant",
    "with_variants",
]
