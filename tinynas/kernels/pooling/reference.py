"""Pooling."""

from __future__ import annotations

from tinynas.graph import OpKind, Pool2DAttributes
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import StepConstants
from tinynas.kernels._fields import activation_fields
from tinynas.kernels._geometry import valid_taps
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, always, structure_only

_PARAMETERS = ParameterStructure("tn_pool_2d_params", 24)


def _pool_features(call: KernelCall) -> dict[str, float]:
    window = call.window
    filter_size, stride = window.filter_size, window.stride
    (tap_rows, _), (tap_columns, _) = (
        valid_taps(call.input.shape[1 + i], call.output.shape[1 + i], filter_size[i], stride[i], 1, call.padding[2 * i])
        for i in range(2)
    )
    _, height, width, channels = call.output.shape
    return {
        "calls": 1,
        "rows": height,
        "pixels": height * width,
        "elements": call.output.elements,
        "tap_rows": tap_rows * width * channels,
        "taps": tap_rows * tap_columns * channels,
    }


def _pack(call: KernelCall, name: str) -> StepConstants:
    attributes = call.op.attributes
    assert isinstance(attributes, Pool2DAttributes)
    _, output_height, output_width, channels = call.output.shape
    return StepConstants(
        (),
        {
            "input_height": call.input.shape[1],
            "input_width": call.input.shape[2],
            "channels": channels,
            "output_height": output_height,
            "output_width": output_width,
            "filter_height": attributes.filter_size[0],
            "filter_width": attributes.filter_size[1],
            "stride_height": attributes.stride[0],
            "stride_width": attributes.stride[1],
            "padding_top": call.padding[0],
            "padding_left": call.padding[2],
            **activation_fields(call),
        },
        {},
    )


_POOL_LOOPS = {
    "rows": "output rows",
    "pixels": "output pixels",
    "elements": "output elements",
    "tap_rows": "rows of the window inside the input, over all output elements",
    "taps": "taps of the window inside the input, over all output elements",
}


AVERAGE_POOL_2D = KernelVariant(
    name="average_pool_2d",
    kinds=(OpKind.AVERAGE_POOL_2D,),
    source="pooling/average_pool_2d.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_average_pool_2d",
    parameters=_PARAMETERS,
    applies=always,
    constant_bytes=structure_only(_PARAMETERS),
    pack=_pack,
    features=lambda call: _pool_features(call) | clamp_features(call),
    loops={**_POOL_LOOPS, **CLAMP_LOOPS},
)


MAX_POOL_2D = KernelVariant(
    name="max_pool_2d",
    kinds=(OpKind.MAX_POOL_2D,),
    source="pooling/max_pool_2d.c",
    symbol="tn_max_pool_2d",
    parameters=_PARAMETERS,
    applies=always,
    constant_bytes=structure_only(_PARAMETERS),
    pack=_pack,
    features=_pool_features,
    loops=_POOL_LOOPS,
)
