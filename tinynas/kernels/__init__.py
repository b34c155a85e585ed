"""Kernels, one folder a family, here and in `firmware/kernels/`: what schedules choose from, and what it costs."""

from tinynas.kernels._catalogue import CATALOGUE, by_rule, for_few_rows, kernels_of, select_variant
from tinynas.kernels._channel_scales import ChannelScales, channel_scales
from tinynas.kernels._clamp import activation_range
from tinynas.kernels._constants import ConstantArray, Fields, StepConstants
from tinynas.kernels._errors import MissingConstantsError, UnsupportedGraphError
from tinynas.kernels._files import code_hash, code_of, kernel_folder, with_headers
from tinynas.kernels._geometry import padding_of
from tinynas.kernels._kernel import (
    KERNEL_FLAGS,
    MAX_DIMENSION,
    MODEL_FLAGS,
    NO_PADDING,
    POINTER,
    InstructionSet,
    KernelCall,
    KernelVariant,
    ParameterStructure,
    PartialSums,
    words,
)
from tinynas.kernels._weights import SMALLEST_WEIGHT, quantization_of, require_symmetric_weights
from tinynas.kernels.elementwise.add import plane_of_add

__all__ = [
    "CATALOGUE",
    "KERNEL_FLAGS",
    "MAX_DIMENSION",
    "MODEL_FLAGS",
    "NO_PADDING",
    "POINTER",
    "SMALLEST_WEIGHT",
    "ChannelScales",
    "ConstantArray",
    "Fields",
    "InstructionSet",
    "KernelCall",
    "KernelVariant",
    "MissingConstantsError",
    "ParameterStructure",
    "PartialSums",
    "StepConstants",
    "UnsupportedGraphError",
    "activation_range",
    "by_rule",
    "channel_scales",
    "code_hash",
    "code_of",
    "for_few_rows",
    "kernel_folder",
    "kernels_of",
    "padding_of",
    "plane_of_add",
    "quantization_of",
    "require_symmetric_weights",
    "select_variant",
    "with_headers",
    "words",
]
