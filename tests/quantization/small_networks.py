"""Networks with every rule of int8 quantization, and images to calibrate them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinynas.graph import Activation, Graph, GraphBuilder
from tinynas.training import Split

SIDE = 8


def with_random_weights(skeleton: Graph, seed: int) -> Graph:
    """Fill the constants with weights that keep activations near one, channels of very different size among them."""
    rng = np.random.default_rng(seed)
    tensors = []
    for tensor in skeleton.tensors:
        if tensor.constant:
            fan_in = max(1, tensor.elements // max(tensor.shape))
            data = rng.normal(0, np.sqrt(2 / fan_in), tensor.shape) * (0.1 if tensor.name.endswith("bias") else 1.0)
            tensor = replace(tensor, data=data.astype(np.float32))
        tensors.append(tensor)
    return replace(skeleton, tensors=tuple(tensors))


def skip_network(seed: int = 0, *, softmax: bool = False) -> Graph:
    """Convolutions, a skip connection, average pooling, MEAN and a linear layer."""
    builder = GraphBuilder("skip")
    x = builder.input((1, SIDE, SIDE, 1))
    x = builder.conv_2d(x, 6, 3, activation=Activation.RELU6, name="stem")
    y = builder.conv_2d(x, 12, 1, activation=Activation.RELU6, name="expand")
    y = builder.depthwise_conv_2d(y, 3, activation=Activation.RELU6, name="depthwise")
    y = builder.conv_2d(y, 6, 1, name="project")
    x = builder.add(x, y, name="add")
    x = builder.average_pool_2d(x, 2, name="average")
    x = builder.mean(x, name="pool")
    x = builder.fully_connected(x, 4, name="classifier")
    if softmax:
        x = builder.softmax(x)
    return with_random_weights(builder.build([x]), seed)


def branching_network(seed: int = 0) -> Graph:
    """CONCATENATION, MAX_POOL_2D, RESHAPE, MUL and RESIZE: tensors that share scales."""
    builder = GraphBuilder("branches")
    x = builder.input((1, SIDE, SIDE, 1))
    x = builder.conv_2d(x, 4, 3, stride=2, activation=Activation.RELU, name="stem")
    a = builder.conv_2d(x, 4, 1, activation=Activation.RELU6, name="left")
    b = builder.max_pool_2d(x, 2, name="pool")
    b = builder.resize_nearest_neighbor(b, (SIDE // 2, SIDE // 2), name="up")
    c = builder.mul(x, a, name="gate")
    x = builder.concatenation([a, b, c], name="join")
    x = builder.reshape(x, (1, SIDE * SIDE * 3), name="flat")
    return with_random_weights(builder.build([builder.fully_connected(x, 4, name="classifier")]), seed)


def random_images(count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """[count, SIDE, SIDE, 1] of noise with a gradient."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 120, SIDE)[None, :, None, None]
    images: npt.NDArray[np.uint8] = (ramp + rng.integers(0, 130, (count, SIDE, SIDE, 1))).astype(np.uint8)
    return images


def toy_split(count: int, seed: int = 0) -> Split:
    """Four classes by the quadrant that is bright."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    images = rng.integers(0, 90, (count, SIDE, SIDE, 1))
    half = SIDE // 2
    for i, label in enumerate(labels):
        row, column = divmod(int(label), 2)
        images[i, row * half : (row + 1) * half, column * half : (column + 1) * half] += 110
    return Split(images.astype(np.uint8), labels.astype(np.int64))
