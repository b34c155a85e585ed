"""Single layers, drawn at random towards the ends of every range, checked byte by byte on an emulated core."""

from tinynas.testing.layers._check import LayerResult, check_layers, layer_inputs
from tinynas.testing.layers._heads import random_head
from tinynas.testing.layers._image import LayerImage, StatefulKernelError
from tinynas.testing.layers._layer import Layer, for_speed, layer_of, random_layer
from tinynas.testing.layers._segments import random_segments
from tinynas.testing.layers._skeletons import LAYER_KINDS
from tinynas.testing.layers._units import (
    GUARD,
    guarded_arena,
    guarded_buffers,
    kernel_sources,
    write_one_unit,
    write_units,
)

__all__ = [
    "GUARD",
    "LAYER_KINDS",
    "Layer",
    "LayerImage",
    "LayerResult",
    "StatefulKernelError",
    "check_layers",
    "for_speed",
    "guarded_arena",
    "guarded_buffers",
    "kernel_sources",
    "layer_inputs",
    "layer_of",
    "random_head",
    "random_layer",
    "random_segments",
    "write_one_unit",
    "write_units",
]
