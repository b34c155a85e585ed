"""Lowering: from a graph to the schedule of kernel calls that our engine executes."""

from tinynas.lowering._addresses import WEIGHTED, address_bytes, operand_positions
from tinynas.lowering._catalogue import CATALOGUE, by_rule, select_variant
from tinynas.lowering._channel_scales import ChannelScales, channel_scales
from tinynas.lowering._clamp import activation_range
from tinynas.lowering._depthwise_variants import OVERLAPPED, PAIRED, row_words
from tinynas.lowering._dot_variants import column_order, column_pairs, dense_shape
from tinynas.lowering._errors import MissingConstantsError, UnsupportedGraphError
from tinynas.lowering._exchange import VariantError, exchangeable, layers, suits, with_constants, with_variants
from tinynas.lowering._fully_connected_variant import INPUTS_IN_WORDS
from tinynas.lowering._half_plane_variants import is_general_in_half_planes
from tinynas.lowering._layer_lines import fully_connected_lines, paired_lines
from tinynas.lowering._lines import LINE_WORDS, Lines
from tinynas.lowering._lowering import DSP_LOWERING, Lowering, lower
from tinynas.lowering._packed_variants import PACKED_BLOCK, PACKED_UNROLLED, is_general_when_packed, packed_pairs
from tinynas.lowering._paired_variants import PAIRED_CHANNELS, PAIRED_UNROLLED
from tinynas.lowering._patches import PatchError, PatchPlan
from tinynas.lowering._planes import Plane, half_plane_of, half_row_words, plane_of, plane_of_quads
from tinynas.lowering._schedule import Band, Buffer, Schedule, Step
from tinynas.lowering._scratch import select_within
from tinynas.lowering._unweighted_variants import plane_of_add, reduced_view
from tinynas.lowering._variants import KERNEL_FLAGS, MODEL_FLAGS, POINTER, InstructionSet, KernelCall, KernelVariant
from tinynas.lowering._weights import (
    SMALLEST_WEIGHT,
    bias_of,
    by_output,
    data_of,
    folded_bias,
    multipliers,
    quantization_of,
    weights_of,
)

__all__ = [
    "CATALOGUE",
    "DSP_LOWERING",
    "INPUTS_IN_WORDS",
    "KERNEL_FLAGS",
    "LINE_WORDS",
    "MODEL_FLAGS",
    "OVERLAPPED",
    "PACKED_BLOCK",
    "PACKED_UNROLLED",
    "PAIRED",
    "PAIRED_CHANNELS",
    "PAIRED_UNROLLED",
    "POINTER",
    "SMALLEST_WEIGHT",
    "WEIGHTED",
    "Band",
    "Buffer",
    "ChannelScales",
    "InstructionSet",
    "KernelCall",
    "KernelVariant",
    "Lines",
    "Lowering",
    "MissingConstantsError",
    "PatchError",
    "PatchPlan",
    "Plane",
    "Schedule",
    "Step",
    "UnsupportedGraphError",
    "VariantError",
    "activation_range",
    "address_bytes",
    "bias_of",
    "by_output",
    "by_rule",
    "channel_scales",
    "column_order",
    "column_pairs",
    "data_of",
    "dense_shape",
    "exchangeable",
    "folded_bias",
    "fully_connected_lines",
    "half_plane_of",
    "half_row_words",
    "is_general_in_half_planes",
    "is_general_when_packed",
    "layers",
    "lower",
    "multipliers",
    "operand_positions",
    "packed_pairs",
    "paired_lines",
    "plane_of",
    "plane_of_add",
    "plane_of_quads",
    "quantization_of",
    "reduced_view",
    "row_words",
    "select_variant",
    "select_within",
    "suits",
    "weights_of",
    "with_constants",
    "with_variants",
]
