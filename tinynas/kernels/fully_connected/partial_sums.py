"""Fully connected layers of an image whose rows come a few at a time, on all cores."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph import OpKind
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD, StepConstants
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure
from tinynas.kernels._weights import weights_of
from tinynas.kernels.fully_connected.rows import (
    OUTPUTS,
    PARAMETERS,
    PRODUCT_LOOPS,
    is_general,
    outputs_of_tiles,
    product_features,
    table_bytes,
    table_constants,
    tiles_of,
    unshifted,
)

_PARAMETERS = ParameterStructure("tn_fully_connected_rows_params", PARAMETERS.size_bytes + 8)


def _reads_an_image(call: KernelCall) -> bool:
    """Whether all pixels of one image are the inputs of each output."""
    image = call.graph.tensors[call.source]
    return len(image.shape) == 4 and image.shape[0] == 1 and call.weights.shape[-1] == image.elements


def _features(call: KernelCall) -> dict[str, float]:
    assert call.sums is not None
    inputs, outputs = call.input.elements, call.weights.shape[0]
    tiles = tiles_of(outputs)
    ended = tiles * call.sums.ends
    general = is_general(call)
    computed = outputs_of_tiles(outputs)
    unmoved = unshifted(call, computed) if general else 0
    clamped = clamp_features(call)
    return {
        "calls": 1,
        "ends": int(call.sums.ends),
        "tiles": tiles,
        "ended_tiles": 0 if general else ended,
        "general_tiles": ended if general else 0,
        "unshifted": unmoved * call.sums.ends,
        "shifted": (len(computed) - unmoved) * call.sums.ends if general else 0,
        **product_features(tiles, inputs),
        **(clamped if call.sums.ends else dict.fromkeys(clamped, 0.0)),
    }


def _pack(call: KernelCall, name: str) -> StepConstants:
    assert call.sums is not None
    layer = table_constants(replace(call, input_rows=None), name, weights_of(call))
    return StepConstants(
        layer.arrays,
        {
            "layer": {key: value for key, value in layer.fields.items() if isinstance(value, str | int)},
            "inputs": call.input.elements,
            "begins": int(call.sums.begins),
            "ends": int(call.sums.ends),
        },
        {},
    )


FULLY_CONNECTED_ROWS = KernelVariant(
    name="fully_connected_rows",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected/fully_connected_rows.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_fully_connected_rows",
    parameters=_PARAMETERS,
    applies=_reads_an_image,
    constant_bytes=lambda call: table_bytes(call) - PARAMETERS.size_bytes + _PARAMETERS.size_bytes,
    pack=_pack,
    features=_features,
    loops={
        "ends": "1 of the last call: so does the layer",
        "tiles": "groups of four outputs, or single ones where there are fewer",
        "ended_tiles": "those of the last call: sums begin once and end once",
        "general_tiles": "the same of a layer that needs the general requantization",
        "unshifted": "outputs in them whose products are shifted right by no more than a word",
        "shifted": "those shifted by more: which of the two takes the branch is the compiler's choice",
        **PRODUCT_LOOPS,
        **CLAMP_LOOPS,
    },
    keeps_sums=True,
    scratch_bytes=lambda call: WORD * (1 + OUTPUTS * tiles_of(call.weights.shape[0])),
)
