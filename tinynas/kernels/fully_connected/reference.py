"""Fully connected layers of any number of inputs and outputs, on all cores."""

from __future__ import annotations

from tinynas.graph import OpKind
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import StepConstants
from tinynas.kernels._kernel import KernelCall, KernelVariant, always
from tinynas.kernels._weights import weights_of
from tinynas.kernels.fully_connected.rows import (
    PARAMETERS,
    PRODUCT_LOOPS,
    is_general,
    outputs_of_tiles,
    product_features,
    rows_of,
    table_bytes,
    table_constants,
    tiles_of,
    unshifted,
)


def _dense_features(call: KernelCall) -> dict[str, float]:
    rows, inputs = rows_of(call), call.weights.shape[-1]
    outputs = call.weights.shape[0]
    tiles = rows * tiles_of(outputs)
    general = is_general(call)
    computed = outputs_of_tiles(outputs)
    unmoved = unshifted(call, computed) if general else 0
    return {
        "calls": 1,
        "rows": rows,
        "tiles": 0 if general else tiles,
        "general_tiles": tiles if general else 0,
        "unshifted": rows * unmoved,
        "shifted": rows * (len(computed) - unmoved) if general else 0,
        **product_features(tiles, inputs),
        **clamp_features(call),
    }


def _pack(call: KernelCall, name: str) -> StepConstants:
    return table_constants(call, name, weights_of(call))


FULLY_CONNECTED = KernelVariant(
    name="fully_connected",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected/fully_connected.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_fully_connected",
    parameters=PARAMETERS,
    applies=always,
    constant_bytes=table_bytes,
    pack=_pack,
    features=_dense_features,
    loops={
        "rows": "input rows",
        "tiles": "groups of four outputs, or single ones where there are fewer, over all rows",
        **PRODUCT_LOOPS,
        "general_tiles": "groups, or single ones, of a layer that needs the general requantization",
        "unshifted": "outputs in them whose products are shifted right by no more than a word",
        "shifted": "those shifted by more: which of the two takes the branch is the compiler's choice",
        **CLAMP_LOOPS,
    },
)
