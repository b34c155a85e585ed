"""RESIZE_NEAREST_NEIGHBOR."""

from __future__ import annotations

from tinynas.graph import OpKind, ResizeNearestNeighborAttributes
from tinynas.graph.ops.resize_nearest_neighbor import nearest_indices
from tinynas.kernels._constants import StepConstants, integers
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, always, words
from tinynas.kernels._rank_4 import output_rows_features

_PARAMETERS = ParameterStructure("tn_resize_nearest_neighbor_params", 16)


def _constant_bytes(call: KernelCall) -> int:
    _, height, width, _ = call.output.shape
    return _PARAMETERS.size_bytes + words(2 * height) + words(2 * width)


def _pack(call: KernelCall, name: str) -> StepConstants:
    attributes = call.op.attributes
    assert isinstance(attributes, ResizeNearestNeighborAttributes)
    _, input_height, input_width, channels = call.input.shape
    height, width = attributes.size
    rows = integers(f"{name}_rows", "uint16_t", nearest_indices(input_height, height, attributes))
    columns = integers(f"{name}_columns", "uint16_t", nearest_indices(input_width, width, attributes))
    return StepConstants(
        (rows, columns),
        {
            "rows": rows.name,
            "columns": columns.name,
            "input_width": input_width,
            "output_height": height,
            "output_width": width,
            "channels": channels,
        },
        {},
    )


RESIZE_NEAREST_NEIGHBOR = KernelVariant(
    name="resize_nearest_neighbor",
    kinds=(OpKind.RESIZE_NEAREST_NEIGHBOR,),
    source="layout/resize_nearest_neighbor.c",
    symbol="tn_resize_nearest_neighbor",
    parameters=_PARAMETERS,
    applies=always,
    constant_bytes=_constant_bytes,
    pack=_pack,
    features=output_rows_features,
    loops={"planes": "output rows", "rows": "output pixels", "elements": "output elements"},
)
