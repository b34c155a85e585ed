"""Fully connected layers: inputs in fours on cores with DSP instructions, any inputs on all cores."""

from __future__ import annotations

from tinynas.graph import OpKind
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

_OUTPUTS = 4  # at a time: fully_connected.c, fully_connected_in_fours.c


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
    return {
        "calls": 1,
        "rows": rows,
        "tiles": tiles,
        "tiles_in_words": tiles * (inputs >= WORD),
        "quads": tiles * (inputs // WORD),
        "odd_quads": tiles * (inputs // WORD % 2),
        "tiles_with_steps": tiles * (inputs % WORD > 0),
        "steps": tiles * (inputs % WORD),
    }


def _in_fours_features(call: KernelCall) -> dict[str, float]:
    rows, quads = _dense_rows(call), call.weights.shape[-1] // WORD
    tiles, others = divmod(call.weights.shape[0], _OUTPUTS)
    tiles, twos = rows * tiles, rows * pairs(others)
    return {
        "calls": 1,
        "rows": rows,
        "tiles": tiles,
        "quads": tiles * quads,
        "odd_quads": tiles * (quads % 2),
        "twos": twos,
        "quads_of_twos": twos * quads,
    }


FULLY_CONNECTED_IN_FOURS = KernelVariant(
    name="fully_connected_in_fours",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected_in_fours.c",
    helpers=("clamp_outputs.c",),
    symbol="tn_fully_connected_in_fours",
    parameters="tn_fully_connected_params",
    applies=lambda call: call.weights.shape[-1] % WORD == 0,
    constant_bytes=_dense_constants,
    features=_in_fours_features,
    loops={
        "rows": "input rows",
        "tiles": "groups of four outputs, over all rows",
        "quads": "four inputs of each group: sixteen MACs each",
        "odd_quads": "groups whose loop leaves out half a round",
        "twos": "pairs of outputs that four left over, over all rows",
        "quads_of_twos": "four inputs of each pair",
    },
    instruction_sets=frozenset({InstructionSet.DSP}),
)

FULLY_CONNECTED = KernelVariant(
    name="fully_connected",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected.c",
    helpers=("clamp_outputs.c",),
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
    },
)
