"""Fully connected layers of Armv6-M: inputs in words."""

from __future__ import annotations

from functools import partial

import numpy as np

from tinynas.graph import OpKind
from tinynas.kernels._affine import AFFINE_WORDS, Affine
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD
from tinynas.kernels._fields import output_fields
from tinynas.kernels._kernel import InstructionSet, KernelCall, KernelVariant, pairs
from tinynas.kernels._layer_affine import CHANNELS_AT_ONCE, affine_words, as_words, layer_affine
from tinynas.kernels._weights import by_output
from tinynas.kernels.conv_2d.dense import CONV_1X1_PARAMETERS, Words, conv_1x1_constants
from tinynas.kernels.fully_connected.rows import OUTPUTS, rows_of, unshifted

_INPUTS = 8  # in a round of the innermost loop: INPUTS in `firmware/kernels/fully_connected/fully_connected_in_words.c`
_MOST_IN_WORDS = 1024  # inputs, whose words are scratch
_GENERAL = 1  # firmware/kernels/arithmetic/affine.h


def _columns_in_words(call: KernelCall) -> int:
    """Inputs, those that fill the last round included."""
    return -(-int(call.weights.shape[-1]) // _INPUTS) * _INPUTS


def _in_words_constants(call: KernelCall) -> int:
    fours = -(-call.weights.shape[0] // OUTPUTS)
    of_four = OUTPUTS * (1 + AFFINE_WORDS) + _columns_in_words(call)
    return WORD * fours * of_four + CONV_1X1_PARAMETERS.size_bytes


def _in_words_features(call: KernelCall) -> dict[str, float]:
    rows, inputs, outputs = rows_of(call), call.weights.shape[-1], call.weights.shape[0]
    fours = rows * -(-outputs // OUTPUTS)
    general = call.has_constants and _affine_requantization(call) is None
    prefix = "general_" if general else ""
    return dict.fromkeys(_IN_WORDS_LOOPS, 0.0) | {
        "calls": 1,
        "rows": rows,
        f"{prefix}whole_rows": rows * (outputs >= OUTPUTS),
        f"{prefix}fours": fours,
        "rounds": fours * _columns_in_words(call) // _INPUTS,
        "inputs": rows * inputs,
        "filled": inputs % _INPUTS > 0,
        "zeros": _columns_in_words(call) - inputs,
        "long_runs": rows * (inputs > 1),
        "run_rounds": rows * pairs(inputs // 2),
        "run_pairs": rows * (inputs // 2),
        "odd_runs": rows * (inputs % 2),
        f"{prefix}rest_rows": rows * (outputs % OUTPUTS > 0),
        "rest_outputs": rows * (outputs % OUTPUTS),
        # Of outputs that are missing in the last four the shift is zero.
        "unshifted": rows * (unshifted(call, range(outputs)) + -outputs % OUTPUTS) if general else 0,
        **clamp_features(call),
    }


_IN_WORDS_LOOPS = {
    "rows": "input rows",
    "whole_rows": "the same where there are four outputs or more",
    "fours": "groups of four outputs, over all rows",
    "rounds": "eight inputs of each group: 32 MACs each",
    "inputs": "inputs that become words, over all rows",
    "filled": "1 where rows are no multiple of eight inputs",
    "zeros": "words that fill them up to one",
    "long_runs": "rows of two inputs or more",
    "run_rounds": "rounds of four inputs or two in them",
    "run_pairs": "pairs of inputs in them",
    "odd_runs": "rows of an odd number of inputs",
    "rest_rows": "rows with outputs that four leave over, which are computed as four",
    "rest_outputs": "those outputs, over all rows",
    "general_whole_rows": "rows of four outputs or more of a layer in which an output has no line",
    "general_fours": "groups of four outputs of such a layer",
    "general_rest_rows": "rows of such a layer with outputs that four leave over",
    "unshifted": "outputs of such a layer whose products are shifted right by no more than a word",
    **CLAMP_LOOPS,
}


def _affine_requantization(call: KernelCall) -> Affine | None:
    """Affine requantization of the layer; None where an output has none."""
    return layer_affine(call, by_output(call).reshape(call.weights.shape[0], -1), 0)


def _pack(call: KernelCall, name: str) -> tuple[Words, dict[str, str | int]]:
    """The packed constants and the parameters that `tn_fully_connected_in_words` reads.

    Its packing is in `firmware/kernels/fully_connected/fully_connected.h`.
    """
    outputs, inputs = call.weights.shape[0], call.weights.shape[-1]
    rows = by_output(call).reshape(outputs, inputs)
    affine = _affine_requantization(call)
    start, scales = affine_words(call, affine, outputs)
    fours = len(start) // CHANNELS_AT_ONCE
    padded = np.pad(rows.astype(np.int64), ((0, len(start) - outputs), (0, -inputs % _INPUTS)))
    offset = (padded + 128).astype(np.uint8).reshape(fours, CHANNELS_AT_ONCE, -1)
    weights = np.ascontiguousarray(offset.transpose(0, 2, 1)).reshape(fours, -1).view("<u4")
    packed = np.concatenate((start.reshape(fours, -1), weights, scales.reshape(fours, -1)), axis=1)
    return as_words(packed), {
        "constants": f"{name}_constants",
        "pairs": padded.shape[1] // 2,
        "output_channels": outputs,
        **output_fields(call),
        "general": 0 if affine is not None else _GENERAL,
        "skipped": 0,
    }


FULLY_CONNECTED_IN_WORDS = KernelVariant(
    name="fully_connected_in_words",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected/fully_connected_in_words.c",
    helpers=("arithmetic/clamp_outputs.c", "arithmetic/widen.c"),
    symbol="tn_fully_connected_in_words",
    parameters=CONV_1X1_PARAMETERS,
    applies=lambda call: call.weights.shape[-1] <= _MOST_IN_WORDS,
    constant_bytes=_in_words_constants,
    pack=partial(conv_1x1_constants, packing=_pack),
    features=_in_words_features,
    loops=_IN_WORDS_LOOPS,
    instruction_sets=frozenset({InstructionSet.ARMV6M}),
    scratch_bytes=lambda call: WORD * _columns_in_words(call),
)
