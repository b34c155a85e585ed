"""Random heads of networks: what makes classes of the last image."""

from __future__ import annotations

import numpy as np

from tinynas.graph import Activation, GraphBuilder


def random_head(rng: np.random.Generator, b: GraphBuilder, x: int) -> int:
    """A classifier of an image: of its mean, by MEAN or pooling, or of all of its pixels.

    Args:
        rng: The dice.
        b: The network so far.
        x: The image.

    Returns:
        The classes, or now and then what is in front of the classifier.
    """
    outputs = int(rng.integers(1, 11))
    kind = rng.choice(["mean", "kept mean", "pool", "pixels", "reshaped pixels"])
    if rng.random() < 0.1:
        x = b.reshape(x, (1, 1, -1, b.shape(x)[3]) if rng.random() < 0.3 else (1, -1, 1, b.shape(x)[3]), name="turned")
    activation = Activation.RELU6 if rng.random() < 0.3 else Activation.NONE
    if kind == "pixels":
        return b.fully_connected(x, outputs, activation=activation, name="head")
    if kind == "reshaped pixels":
        return b.fully_connected(b.reshape(x, (1, -1), name="flat"), outputs, activation=activation, name="head")
    if kind == "pool":
        _, height, width, _ = b.shape(x)
        x = b.average_pool_2d(x, (height, width), activation=activation, name="pool")
    else:
        x = b.mean(x, keep_dims=kind == "kept mean", name="pool")
    return x if rng.random() < 0.2 else b.fully_connected(x, outputs, name="head")
