"""A network as layers with windows, cut where a single tensor is alive: what `stream_bounds.py` bounds.

From the graph alone: nothing here knows kernels, schedules or plans.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tinynas.graph import (
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    Graph,
    MeanAttributes,
    Op,
    OpKind,
    PadAttributes,
    Pool2DAttributes,
    window_padding,
    without_dead_operators,
)

_WRITES_OVER = frozenset((OpKind.DEPTHWISE_CONV_2D, OpKind.ADD, OpKind.MUL, OpKind.QUANTIZE))
"""As a whole, over an operand that dies."""
_ELEMENTWISE = frozenset((OpKind.ADD, OpKind.MUL, OpKind.QUANTIZE))
_CONVOLUTIONS = (Conv2DAttributes, DepthwiseConv2DAttributes)


@dataclass(frozen=True)
class Rows:
    """A tensor: how many rows it has, and bytes of each; one row where it is no image."""

    count: int
    row_bytes: int

    @property
    def size_bytes(self) -> int:
        """Of all of it."""
        return self.count * self.row_bytes


@dataclass(frozen=True)
class Layer:
    """An operator, with every PAD that it reads folded in.

    One that sums has its rows where its operand has them, and adds a row to sums where others write one.

    Attributes:
        inputs: The activations that it reads, each once.
        output: What it writes.
        rows: Of its output, or if it sums, of its operand.
        stride: Rows of its operands between two of its output.
        extent: Rows of its operands that one row of its output depends on.
        padding: Of these, how many lie above the first row.
        by_rows: Whether its rows follow from such rows of its operands.
        writes_over: Whether it can write over an operand.
        sums: Whether it adds the rows of an image to sums, and writes all of its output behind the last one.
    """

    inputs: tuple[int, ...]
    output: int
    rows: int
    stride: int
    extent: int
    padding: int
    by_rows: bool
    writes_over: bool
    sums: bool

    def first_seen(self, written: int) -> int:
        """The first row of its operands that it reads from its next row on."""
        return max(0, written * self.stride - self.padding)

    def possible(self, there: Mapping[int, int], height: Mapping[int, int], written: int) -> int:
        """How many rows it can have written once so many of its operands are there."""
        while written < self.rows:
            end = written * self.stride - self.padding + self.extent
            if any(there[t] < min(end, height[t]) for t in self.inputs):
                break
            written += 1
        return written


@dataclass(frozen=True)
class Cell:
    """The layers between two places where a single tensor is alive.

    Attributes:
        layers: In order.
        source: The tensor before them.
        of: All tensors.
        whole_bytes: What they take as a whole.
        by_rows: Whether they can run row by row.
        begins: Whether only a segment that begins here can: the first one reads through a RESHAPE.
        ends: Whether only a segment that ends here can: the last one sums.
    """

    layers: tuple[Layer, ...]
    source: int
    of: Mapping[int, Rows]
    whole_bytes: int
    by_rows: bool
    begins: bool
    ends: bool

    @property
    def output(self) -> int:
        """The tensor behind them."""
        return self.layers[-1].output

    @cached_property
    def window_rows(self) -> dict[int, int]:
        """By tensor, its output excepted, the rows of it that are there at once, whatever the order of the steps."""
        return {t: self._window(t) for t in (self.source, *(layer.output for layer in self.layers[:-1]))}

    @property
    def inner_bytes(self) -> int:
        """Of the windows of all results inside it."""
        return sum(self.window_bytes(t) for t in self.window_rows if t != self.source)

    def window_bytes(self, t: int) -> int:
        """Of the window of its source or of a result inside it."""
        return self.window_rows[t] * self.of[t].row_bytes

    def _window(self, t: int) -> int:
        """Whenever a row of `t` comes, all others have run as far as the rows before it allow."""
        there = dict.fromkeys((self.source, *(layer.output for layer in self.layers)), 0)
        there[self.source] = self.of[self.source].count
        height = {tensor: self.of[tensor].count for tensor in there}
        readers = [layer for layer in self.layers if t in layer.inputs]
        most = 0
        for row in range(self.of[t].count):
            there[t] = row
            for layer in self.layers:
                if layer.output != t:
                    there[layer.output] = layer.possible(there, height, there[layer.output])
            seen = (r.first_seen(there[r.output]) for r in readers if there[r.output] < r.rows)
            most = max(most, row + 1 - min([row, *seen]))
        return most


def cells_of_graph(graph: Graph) -> list[Cell]:
    """The cells of an int8 network, in order."""
    graph = without_dead_operators(graph)
    layers = [_layer(graph, op) for op in graph.ops if not _folded(graph, op) and op.kind is not OpKind.RESHAPE]
    of = {t: _rows(graph, t) for layer in layers for t in (*layer.inputs, layer.output)}
    last = dict.fromkeys((_root(graph, t) for t in graph.inputs), -1)
    for position, layer in enumerate(layers):
        last |= dict.fromkeys((_root(graph, t) for t in (*layer.inputs, layer.output)), position)
    last |= dict.fromkeys((_root(graph, t) for t in graph.outputs), len(layers))
    made = {layer.output: position for position, layer in enumerate(layers)}
    alive = [
        {t: graph.tensors[t].size_bytes for t, end in last.items() if end >= position and made.get(t, -1) < position}
        for position in range(len(layers) + 1)
    ]
    bounds = sorted({0, len(layers), *(position for position, tensors in enumerate(alive) if len(tensors) == 1)})
    found = []
    for first, end in itertools.pairwise(bounds):
        part = layers[first:end]
        whole = [_alive_bytes(layer, of, *alive[i : i + 2]) for i, layer in enumerate(part, first)]
        reshaped = [any(_root(graph, t) != t for t in layer.inputs) for layer in part]
        streams = len(alive[first]) == len(alive[end]) == 1 and all(layer.by_rows for layer in part)
        streams = streams and not any(reshaped[1:]) and not any(layer.sums for layer in part[:-1])
        found.append(Cell(tuple(part), part[0].inputs[0], of, max(whole), streams, reshaped[0], part[-1].sums))
    return found


def _alive_bytes(layer: Layer, of: Mapping[int, Rows], before: Mapping[int, int], behind: Mapping[int, int]) -> int:
    """What is there while a layer runs as a whole, between what is alive before and behind it, in bytes by tensor."""
    output = of[layer.output].size_bytes
    dying = max((size for t, size in before.items() if t not in behind), default=0)
    return sum(before.values()) + output - (min(output, dying) if layer.writes_over else 0)


def _layer(graph: Graph, op: Op) -> Layer:
    output = op.outputs[0]
    image = _summed_image(graph, op)
    if image is not None:
        return Layer((image,), output, _rows(graph, image).count, 1, 1, 0, by_rows=True, writes_over=False, sums=True)
    inputs = tuple(dict.fromkeys(_unpadded(graph, t)[0] for t in graph.activation_inputs(op)))
    shapes = [graph.tensors[t].shape for t in (*inputs, output)]
    images = all(len(shape) == 4 and shape[0] == 1 for shape in shapes)
    window = _window_of(graph, op)
    elementwise = op.kind in _ELEMENTWISE and len(set(shapes)) == 1
    stride, extent, padding = window or (1, 1, 0)
    return Layer(
        inputs,
        output,
        _rows(graph, output).count,
        stride,
        extent,
        padding,
        by_rows=images and (window is not None or elementwise),
        writes_over=op.kind in _WRITES_OVER,
        sums=False,
    )


def _summed_image(graph: Graph, op: Op) -> int | None:
    """The image of several rows of which an operator needs nothing but sums over all pixels; None of any other."""
    attributes, t = op.attributes, op.inputs[0]
    if op.kind is OpKind.FULLY_CONNECTED:
        t = _root(graph, t)
    image, output = graph.tensors[t], graph.tensors[op.outputs[0]]
    if len(image.shape) != 4 or image.shape[0] != 1 or image.shape[1] == 1:
        return None
    if op.kind is OpKind.FULLY_CONNECTED:
        sums = graph.tensors[op.inputs[1]].shape[-1] == image.elements
    elif op.kind is OpKind.AVERAGE_POOL_2D:
        assert isinstance(attributes, Pool2DAttributes)
        sums = attributes.filter_size == image.shape[1:3] and output.shape[1:3] == (1, 1)
    else:
        sums = isinstance(attributes, MeanAttributes) and attributes.axes == (1, 2)
    return t if sums else None


def _window_of(graph: Graph, op: Op) -> tuple[int, int, int] | None:
    """Stride, extent and padding above of a window's rows, of a PAD's one row; None of an operator without windows."""
    attributes = op.attributes
    if isinstance(attributes, PadAttributes):
        return 1, 1, attributes.paddings[1][0]
    padded = graph.tensors[op.inputs[0]].shape
    if isinstance(attributes, Pool2DAttributes):
        size, dilation = attributes.filter_size[0], 1
    elif isinstance(attributes, _CONVOLUTIONS):
        size, dilation = graph.tensors[op.inputs[1]].shape[1], attributes.dilation[0]
    else:
        return None
    top, _ = window_padding(padded[1], size, attributes.stride[0], dilation, attributes.padding)
    return attributes.stride[0], (size - 1) * dilation + 1, top + _unpadded(graph, op.inputs[0])[1]


def _folded(graph: Graph, op: Op) -> bool:
    """Whether this is a PAD of rows and columns that only convolutions read, or such PADs."""
    paddings = _paddings(op)
    if op.outputs[0] in graph.outputs or len(paddings) != 4 or any(paddings[0]) or any(paddings[3]):
        return False
    readers = [graph.ops[i] for i in graph.consumers.get(op.outputs[0], ())]
    return all(isinstance(r.attributes, _CONVOLUTIONS) or _folded(graph, r) for r in readers)


def _paddings(op: Op) -> tuple[tuple[int, int], ...]:
    return op.attributes.paddings if isinstance(op.attributes, PadAttributes) else ()


def _unpadded(graph: Graph, t: int) -> tuple[int, int]:
    """The tensor before all PADs that are folded into who reads `t`, and the rows that they add above it."""
    producer = graph.producers.get(t)
    if producer is None or not _folded(graph, graph.ops[producer]):
        return t, 0
    op = graph.ops[producer]
    source, above = _unpadded(graph, op.inputs[0])
    return source, above + _paddings(op)[1][0]


def _root(graph: Graph, t: int) -> int:
    """The tensor that has the storage of `t`: RESHAPE moves nothing."""
    producer = graph.producers.get(t)
    if producer is None or graph.ops[producer].kind is not OpKind.RESHAPE:
        return t
    return _root(graph, graph.ops[producer].inputs[0])


def _rows(graph: Graph, t: int) -> Rows:
    tensor = graph.tensors[t]
    if len(tensor.shape) != 4 or tensor.shape[0] != 1:
        return Rows(1, tensor.size_bytes)
    return Rows(tensor.shape[1], tensor.size_bytes // tensor.shape[1])
