"""The fixed-point arithmetic of TFLite's int8 kernels: one source for the executor, lowering and the generated C."""

from tinynas.graph.fixed_point._add_plane import AddPlane, add_plane
from tinynas.graph.fixed_point._arithmetic import (
    Multiplier,
    multiply_by_quantized_multiplier,
    multiply_rounding_once,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
)
from tinynas.graph.fixed_point._parameters import (
    ADD_LEFT_SHIFT,
    AddParameters,
    add_parameters,
    convolution_multipliers,
    fully_connected_multipliers,
    mean_multiplier,
    mul_multiplier,
    quantized_activation_range,
    requantization_multiplier,
)
from tinynas.graph.fixed_point._runtime import Runtime
from tinynas.graph.fixed_point._softmax import (
    SOFTMAX_ACCUMULATION_INTEGER_BITS,
    SoftmaxParameters,
    softmax_exp_table,
    softmax_parameters,
    softmax_reciprocal,
)

__all__ = [
    "ADD_LEFT_SHIFT",
    "SOFTMAX_ACCUMULATION_INTEGER_BITS",
    "AddParameters",
    "AddPlane",
    "Multiplier",
    "Runtime",
    "SoftmaxParameters",
    "add_parameters",
    "add_plane",
    "convolution_multipliers",
    "fully_connected_multipliers",
    "mean_multiplier",
    "mul_multiplier",
    "multiply_by_quantized_multiplier",
    "multiply_rounding_once",
    "quantize_multiplier",
    "quantized_activation_range",
    "requantization_multiplier",
    "rounding_divide_by_power_of_two",
    "saturating_rounding_doubling_high_mul",
    "softmax_exp_table",
    "softmax_parameters",
    "softmax_reciprocal",
]
