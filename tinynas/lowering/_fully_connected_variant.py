"""Fully connected layers: inputs in fours on cores with DSP instructions, in words on Armv6-M, any inputs on all."""

from __future__ import annotations

from collections.abc import Iterable

from tinynas.graph import OpKind
from tinynas.lowering._clamp import CLAMP_LOOPS, clamp_features
from tinynas.lowering._layer_lines import fully_connected_lines
from tinynas.lowering._lines import LINE_WORDS
from tinynas.lowering._variants import (
    STRUCTURE_BYTES,
    WORD,
    InstructionSet,
    KernelCall,
    KernelVariant,
    always,
    pairs,
    words,
)
from tinynas.lowering._weights import multipliers, quantization_of

INPUTS_IN_WORDS = 8
"""Inputs in a round of the innermost loop: INPUTS in `firmware/kernels/fully_connected/fully_connected_in_words.c`."""

_OUTPUTS = 4  # at a time, in all of these kernels
_MOST_IN_WORDS = 1024  # inputs, whose words are scratch
_LEAST_RIGHT_SHIFT, _MOST_RIGHT_SHIFT = 2, 30  # of the short requantization


def _dense_rows(call: KernelCall) -> int:
    return call.input.elements // call.weights.shape[-1]


def _scales(call: KernelCall) -> int:
    """Multipliers of a fully connected call: one, as TFLite's converter writes it, or one per output."""
    quantization = call.weights.quantization
    return call.weights.shape[0] if quantization is not None and quantization.per_channel else 1


def _dense_constants(call: KernelCall) -> int:
    outputs = call.weights.shape[0]
    scales = _scales(call)
    return (
        words(call.weights.elements)
        + words(4 * outputs)
        + words(4 * scales)
        + words(scales)
        + STRUCTURE_BYTES["tn_fully_connected_params"]
    )


def _dense_features(call: KernelCall) -> dict[str, float]:
    rows, inputs = _dense_rows(call), call.weights.shape[-1]
    outputs = call.weights.shape[0]
    tiles = rows * (-(-outputs // _OUTPUTS) if outputs >= _OUTPUTS else outputs)
    general = _needs_more_than_one_right_shift(call)
    computed = _outputs_of_tiles(outputs)
    unshifted = _unshifted(call, computed) if general else 0
    return {
        "calls": 1,
        "rows": rows,
        "tiles": 0 if general else tiles,
        "general_tiles": tiles if general else 0,
        "unshifted": rows * unshifted,
        "shifted": rows * (len(computed) - unshifted) if general else 0,
        "tiles_in_words": tiles * (inputs >= WORD),
        "quads": tiles * (inputs // WORD),
        "odd_quads": tiles * (inputs // WORD % 2),
        "tiles_with_steps": tiles * (inputs % WORD > 0),
        "steps": tiles * (inputs % WORD),
        **clamp_features(call),
    }


def _needs_more_than_one_right_shift(call: KernelCall) -> bool:
    """Whether sums are requantized the general way: each output has a scale, or it is half of the sum's or more.

    `tn_plain_of` in `firmware/kernels/fully_connected/fully_connected_sums.h`. A skeleton counts as if it had one small
    scale.
    """
    if not call.has_constants:
        return False
    _, shift = multipliers(call, call.weights.shape[0])
    return quantization_of(call.weights).per_channel or not -_MOST_RIGHT_SHIFT <= shift[0] <= -_LEAST_RIGHT_SHIFT


def _outputs_of_tiles(outputs: int) -> list[int]:
    """The outputs that tiles of four compute, those of the last overlap and of single ones several times."""
    if outputs < _OUTPUTS:
        return [o for o in range(outputs) for _ in range(_OUTPUTS)]
    firsts = [min(first, outputs - _OUTPUTS) for first in range(0, outputs, _OUTPUTS)]
    return [first + i for first in firsts for i in range(_OUTPUTS)]


def _unshifted(call: KernelCall, outputs: Iterable[int]) -> int:
    """How many of the outputs have no right shift: their 64-bit products are moved in another branch."""
    _, shift = multipliers(call, call.weights.shape[0])
    return sum(int(shift[o] >= 0) for o in outputs)


def _in_fours_features(call: KernelCall) -> dict[str, float]:
    rows, quads = _dense_rows(call), call.weights.shape[-1] // WORD
    tiles, others = divmod(call.weights.shape[0], _OUTPUTS)
    whole_rows, rest_rows = rows * (tiles > 0), rows * (others > 0)
    tiles, twos = rows * tiles, rows * pairs(others)
    general = _needs_more_than_one_right_shift(call)
    general_sums = _OUTPUTS * tiles + 2 * twos if general else 0
    own_scales = general and quantization_of(call.weights).per_channel
    return {
        "calls": 1,
        "rows": rows,
        "whole_rows": whole_rows,
        "rest_rows": rest_rows,
        "tiles": 0 if general else tiles,
        "quads": tiles * quads,
        "odd_quads": tiles * (quads % 2),
        "twos": 0 if general else twos,
        "quads_of_twos": twos * quads,
        "general_own_scales": general_sums if own_scales else 0,
        "general_one_scale": 0 if own_scales else general_sums,
        "general_twos": twos if general else 0,
        **clamp_features(call),
    }


def _columns_in_words(call: KernelCall) -> int:
    """Inputs, those that fill the last round included."""
    return -(-int(call.weights.shape[-1]) // INPUTS_IN_WORDS) * INPUTS_IN_WORDS


def _in_words_constants(call: KernelCall) -> int:
    fours = -(-call.weights.shape[0] // _OUTPUTS)
    of_four = _OUTPUTS * (1 + LINE_WORDS) + _columns_in_words(call)
    return WORD * fours * of_four + STRUCTURE_BYTES["tn_conv_1x1_params"]


def _in_words_features(call: KernelCall) -> dict[str, float]:
    rows, inputs, outputs = _dense_rows(call), call.weights.shape[-1], call.weights.shape[0]
    fours = rows * -(-outputs // _OUTPUTS)
    general = call.has_constants and fully_connected_lines(call) is None
    prefix = "general_" if general else ""
    return dict.fromkeys(_IN_WORDS_LOOPS, 0.0) | {
        "calls": 1,
        "rows": rows,
        f"{prefix}whole_rows": rows * (outputs >= _OUTPUTS),
        f"{prefix}fours": fours,
        "rounds": fours * _columns_in_words(call) // INPUTS_IN_WORDS,
        "inputs": rows * inputs,
        "filled": inputs % INPUTS_IN_WORDS > 0,
        "zeros": _columns_in_words(call) - inputs,
        "long_runs": rows * (inputs > 1),
        "run_rounds": rows * pairs(inputs // 2),
        "run_pairs": rows * (inputs // 2),
        "odd_runs": rows * (inputs % 2),
        f"{prefix}rest_rows": rows * (outputs % _OUTPUTS > 0),
        "rest_outputs": rows * (outputs % _OUTPUTS),
        # Of outputs that are missing in the last four the shift is zero.
        "unshifted": rows * (_unshifted(call, range(outputs)) + -outputs % _OUTPUTS) if general else 0,
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


FULLY_CONNECTED_IN_FOURS = KernelVariant(
    name="fully_connected_in_fours",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected/fully_connected_in_fours.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_fully_connected_in_fours",
    parameters="tn_fully_connected_params",
    applies=lambda call: call.weights.shape[-1] % WORD == 0,
    constant_bytes=_dense_constants,
    features=_in_fours_features,
    loops={
        "rows": "input rows",
        "whole_rows": "the same where there are four outputs or more",
        "rest_rows": "rows with outputs that four leave over",
        "tiles": "groups of four outputs, over all rows",
        "quads": "four inputs of each group: sixteen MACs each",
        "odd_quads": "groups whose loop leaves out half a round",
        "twos": "pairs of outputs that four left over, over all rows",
        "quads_of_twos": "four inputs of each pair",
        "general_own_scales": "outputs of groups and pairs that need the general requantization, each with its scale",
        "general_one_scale": "the same of a layer that has one scale",
        "general_twos": "pairs of outputs that four left over in both",
        **CLAMP_LOOPS,
    },
    instruction_sets=frozenset({InstructionSet.DSP}),
)

FULLY_CONNECTED_IN_WORDS = KernelVariant(
    name="fully_connected_in_words",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected/fully_connected_in_words.c",
    helpers=("arithmetic/clamp_outputs.c", "arithmetic/widen.c"),
    symbol="tn_fully_connected_in_words",
    parameters="tn_conv_1x1_params",
    applies=lambda call: call.weights.shape[-1] <= _MOST_IN_WORDS,
    constant_bytes=_in_words_constants,
    features=_in_words_features,
    loops=_IN_WORDS_LOOPS,
    instruction_sets=frozenset({InstructionSet.ARMV6M}),
    scratch_bytes=lambda call: WORD * _columns_in_words(call),
)

FULLY_CONNECTED = KernelVariant(
    name="fully_connected",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected/fully_connected.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_fully_connected",
    parameters="tn_fully_connected_params",
    applies=always,
    constant_bytes=_dense_constants,
    features=_dense_features,
    loops={
        "rows": "input rows",
        "tiles": "groups of four outputs, or single ones where there are fewer, over all rows",
        "tiles_in_words": "those of four inputs or more",
        "quads": "four inputs of each tile: sixteen MACs each",
        "odd_quads": "those of them that leave out half a round of the loop",
        "tiles_with_steps": "tiles whose inputs are no whole words",
        "steps": "inputs that four left over: four MACs each",
        "general_tiles": "groups, or single ones, of a layer that needs the general requantization",
        "unshifted": "outputs in them whose products are shifted right by no more than a word",
        "shifted": "those shifted by more: which of the two takes the branch is the compiler's choice",
        **CLAMP_LOOPS,
    },
)
