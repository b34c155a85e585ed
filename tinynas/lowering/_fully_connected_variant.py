"""The fully connected layer."""

from __future__ import annotations

from tinynas.graph import OpKind
from tinynas.lowering._variants import STRUCTURE_BYTES, KernelCall, KernelVariant, always, pairs, words


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
    rows = _dense_rows(call)
    tiles = rows * pairs(call.weights.shape[0])
    return {"calls": 1, "rows": rows, "tiles": tiles, "steps": tiles * call.weights.shape[-1]}


FULLY_CONNECTED = KernelVariant(
    name="fully_connected",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected.c",
    symbol="tn_fully_connected",
    parameters="tn_fully_connected_params",
    applies=always,
    constant_bytes=_dense_constants,
    features=_dense_features,
    loops={
        "rows": "input rows",
        "tiles": "pairs of outputs, over all rows",
        "steps": "inputs of each tile: two MACs each",
    },
)
