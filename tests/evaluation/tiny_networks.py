"""A network that plain torch can be written for in a few lines: two convolutions with a skip, mean, classifier."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from tinynas.graph import Activation, Graph, GraphBuilder
from tinynas.training import Split, Supernet

SIDE, CHANNELS, CLASSES = 6, 3, 4
EPSILON = 1e-3

Normalize = Callable[[torch.Tensor], torch.Tensor]


def network() -> Graph:
    builder = GraphBuilder("tiny")
    x = builder.input((1, SIDE, SIDE, 1))
    x = builder.conv_2d(x, CHANNELS, 3, activation=Activation.RELU, name="first")
    y = builder.conv_2d(x, CHANNELS, 3, activation=Activation.RELU, name="second")
    x = builder.add(x, y, name="add")
    x = builder.mean(x, name="pool")
    return builder.build([builder.fully_connected(x, CLASSES, name="classifier")])


def batch(count: int = 8, seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, SIDE, SIDE, 1)).astype(np.uint8)
    return Split(images, rng.integers(0, CLASSES, count))


def weights(seed: int) -> list[torch.Tensor]:
    """Those of `Supernet` with that seed, as torch has them: [O, I, H, W] twice, and [O, I]."""
    parameters = Supernet([network()], seed=seed).parameters
    named = [parameters[f"{name}/weights"].detach().double() for name in ("first", "second", "classifier")]
    return [named[0].permute(0, 3, 1, 2).clone(), named[1].permute(0, 3, 1, 2).clone(), named[2].clone()]


def images_of(split: Split) -> torch.Tensor:
    """[N, 1, H, W] float64."""
    return torch.from_numpy(split.images).permute(0, 3, 1, 2).double() / 255


def batch_norm(x: torch.Tensor) -> torch.Tensor:
    """By the statistics of the batch, gamma 1 and beta 0."""
    mean, variance = x.mean(dim=(0, 2, 3), keepdim=True), x.var(dim=(0, 2, 3), keepdim=True, correction=0)
    return (x - mean) / torch.sqrt(variance + EPSILON)


def hidden(w: list[torch.Tensor], x: torch.Tensor, normalize: Normalize = batch_norm) -> list[torch.Tensor]:
    """What both convolutions give after their rectifiers."""
    first = F.relu(normalize(F.conv2d(x, w[0], padding=1)))
    return [first, F.relu(normalize(F.conv2d(first, w[1], padding=1)))]


def logits(w: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    first, second = hidden(w, x)
    return (first + second).mean(dim=(2, 3)) @ w[2].T


def loss(w: list[torch.Tensor], split: Split) -> torch.Tensor:
    return F.cross_entropy(logits(w, images_of(split)), torch.from_numpy(split.labels))
