"""What the kernels of fully connected layers share: rows of inputs, scales, and constants in tables."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tinynas.kernels._constants import WORD, StepConstants
from tinynas.kernels._fields import output_fields, with_tables
from tinynas.kernels._kernel import KernelCall, ParameterStructure, words
from tinynas.kernels._weights import folded_bias, multipliers, quantization_of

OUTPUTS = 4
"""Outputs at a time, in all of these kernels."""

PARAMETERS = ParameterStructure("tn_fully_connected_params", 36)

_LEAST_RIGHT_SHIFT, _MOST_RIGHT_SHIFT = 2, 30  # of the short requantization


def rows_of(call: KernelCall) -> int:
    """Rows of the input, each of which meets all weights."""
    return call.input.elements // call.weights.shape[-1]


def tiles_of(outputs: int) -> int:
    """Groups of four outputs whose weights lie in rows; each output is one where there are fewer than four."""
    return -(-outputs // OUTPUTS) if outputs >= OUTPUTS else outputs


def outputs_of_tiles(outputs: int) -> list[int]:
    """The outputs that these groups compute, those of the last overlap and of single ones several times."""
    if outputs < OUTPUTS:
        return [o for o in range(outputs) for _ in range(OUTPUTS)]
    firsts = [min(first, outputs - OUTPUTS) for first in range(0, outputs, OUTPUTS)]
    return [first + i for first in firsts for i in range(OUTPUTS)]


PRODUCT_LOOPS = {
    "tiles_in_words": "groups of four inputs or more",
    "quads": "four inputs of each group: sixteen MACs each",
    "odd_quads": "those of them that leave out half a round of the loop",
    "tiles_with_steps": "groups whose inputs are no whole words",
    "steps": "inputs that four left over: four MACs each",
}


def product_features(tiles: int, inputs: int) -> dict[str, float]:
    """`PRODUCT_LOOPS` of so many groups (`tiles_of`), each of so many inputs."""
    return {
        "tiles_in_words": tiles * (inputs >= WORD),
        "quads": tiles * (inputs // WORD),
        "odd_quads": tiles * (inputs // WORD % 2),
        "tiles_with_steps": tiles * (inputs % WORD > 0),
        "steps": tiles * (inputs % WORD),
    }


def scales_of(call: KernelCall) -> int:
    """Multipliers of a fully connected call: one, as TFLite's converter writes it, or one per output."""
    quantization = call.weights.quantization
    return call.weights.shape[0] if quantization is not None and quantization.per_channel else 1


def table_bytes(call: KernelCall) -> int:
    """Flash of weights, biases and scales in tables of their own, and of `PARAMETERS`."""
    outputs = call.weights.shape[0]
    scales = scales_of(call)
    return words(call.weights.elements) + words(4 * outputs) + words(4 * scales) + words(scales) + PARAMETERS.size_bytes


def is_general(call: KernelCall) -> bool:
    """Whether sums are requantized the general way: each output has a scale, or it is half of the sum's or more.

    `tn_plain_of` in `firmware/kernels/fully_connected/fully_connected_sums.h`. A skeleton counts as if it had one small
    scale.
    """
    if not call.has_constants:
        return False
    _, shift = multipliers(call, call.weights.shape[0])
    return quantization_of(call.weights).per_channel or not -_MOST_RIGHT_SHIFT <= shift[0] <= -_LEAST_RIGHT_SHIFT


def unshifted(call: KernelCall, outputs: Iterable[int]) -> int:
    """How many of the outputs have no right shift: their 64-bit products are moved in another branch."""
    _, shift = multipliers(call, call.weights.shape[0])
    return sum(int(shift[o] >= 0) for o in outputs)


def table_constants(call: KernelCall, name: str, weights: npt.NDArray[np.generic]) -> StepConstants:
    """The constants that `table_bytes` counts, with the weights in the kernel's order."""
    outputs, inputs = call.weights.shape[0], call.weights.shape[-1]
    multiplier, shift = multipliers(call, outputs)
    per_channel = quantization_of(call.weights).per_channel
    if not per_channel:
        multiplier, shift = multiplier[:1], shift[:1]
    return with_tables(
        name,
        weights,
        folded_bias(call, outputs),
        multiplier,
        shift,
        {
            "rows": call.input.elements // inputs,
            "inputs": inputs,
            "outputs": outputs,
            **output_fields(call),
            "per_channel": int(per_channel),
        },
    )
