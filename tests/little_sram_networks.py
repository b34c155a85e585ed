"""Networks that little SRAM makes give something up: scratch, the order of their operators, or whole images."""

from __future__ import annotations

from tinynas.graph import DType, Graph, GraphBuilder


def wide() -> Graph:
    """A 5x5 convolution whose columns are as large as its tensors together."""
    b = GraphBuilder("wide", DType.INT8)
    x = b.conv_2d(b.input((1, 10, 10, 32)), 32, 5, name="wide")
    return b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")])


def branches() -> Graph:
    """Two branches that widen before they narrow; the given order widens both first."""
    b = GraphBuilder("branches", DType.INT8)
    x = b.input((1, 8, 8, 4))
    wide = [b.conv_2d(x, 32, 3, name=f"wide{i}") for i in range(2)]
    narrow = [b.conv_2d(w, 2, 1, name=f"narrow{i}") for i, w in enumerate(wide)]
    return b.build([b.concatenation(narrow, name="join")])


def large_image() -> Graph:
    """Most is alive in the first layers, and none of it is scratch to speak of."""
    b = GraphBuilder("image", DType.INT8)
    x = b.conv_2d(b.input((1, 48, 32, 1)), 8, 3, name="first")
    x = b.conv_2d(x, 8, 3, stride=2, name="second")
    return b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")])
