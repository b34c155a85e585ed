"""A search space of three choices and a data set that it learns in a few steps."""

from __future__ import annotations

import numpy as np

from tinynas.graph import Activation, Graph, GraphBuilder
from tinynas.training import Split

SIDE = 8


def toy_graph(*, depth: int = 2, kernel: int = 5, expansion: int = 3) -> Graph:
    """A stem, `depth` inverted bottlenecks with skip connections, and a classifier of four classes."""
    builder = GraphBuilder("toy")
    x = builder.input((1, SIDE, SIDE, 1))
    x = builder.conv_2d(x, 4, 3, stride=2, activation=Activation.RELU6, name="stem")
    for i in range(depth):
        y = builder.conv_2d(x, 4 * expansion, 1, activation=Activation.RELU6, name=f"block{i}.expand")
        y = builder.depthwise_conv_2d(y, kernel, activation=Activation.RELU6, name=f"block{i}.depthwise")
        y = builder.conv_2d(y, 4, 1, name=f"block{i}.project")
        x = builder.add(x, y, name=f"block{i}.add")
    x = builder.mean(x, name="pool")
    return builder.build([builder.fully_connected(x, 4, name="classifier")])


LARGEST = toy_graph()
SMALLEST = toy_graph(depth=1, kernel=3, expansion=1)


def sample_toy(rng: np.random.Generator) -> Graph:
    """A random member of the toy space."""
    return toy_graph(
        depth=int(rng.integers(1, 3)), kernel=int(rng.choice([3, 5])), expansion=int(rng.choice([1, 2, 3]))
    )


def toy_data(count: int, seed: int = 0) -> Split:
    """Four classes of textures: flat, rows, columns, checkerboard, with noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    row, column = np.mgrid[0:SIDE, 0:SIDE]
    textures = np.stack([0 * row, row % 2, column % 2, (row + column) % 2]) * 120
    images = textures[labels] + rng.integers(0, 100, (count, SIDE, SIDE))
    return Split(images[..., None].astype(np.uint8), labels.astype(np.int64))
