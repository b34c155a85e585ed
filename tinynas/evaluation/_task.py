"""What evaluators are built from: the networks, the images, and what they may use of the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinynas.evaluation._evaluator import Evaluator
from tinynas.graph import DType, Graph
from tinynas.spaces import Genotype, SearchSpace, build_graph
from tinynas.training import Augmentation, Split

if TYPE_CHECKING:
    from tinynas.training import Supernet

_DRAW = 0xCA11


def _unchanged(evaluator: Evaluator) -> Evaluator:
    return evaluator


@dataclass(frozen=True, eq=False)
class EvaluationTask:
    """A search space at the width and the resolution that were chosen, and the data that its networks are for.

    Nothing here is of a board or of a run: an evaluator can be asked in a program of three lines.

    Attributes:
        space: where genotypes are from.
        width: width multiplier.
        resolution: side of the square input in pixels.
        train: training examples at their own resolution.
        validation: held-out examples at their own resolution: what accuracies are measured on.
        classes: number of classes.
        seed: of everything that is drawn.
        processes: how many may compute; no answer depends on it.
        folder: for checkpoints of long work; None: work that is killed begins anew.
        keeps_trained: whether the checkpoint of a full training stays in `folder`, for who wants its weights.
        augmentation: random changes of training images.
        supernet: trained shared weights of this space at this width and resolution, where there are any.
        sample: draws networks that may be looked at (those that fit a budget); none: any member of the space.
        remember: wraps evaluators that another one asks, so that what they answer is kept as well.
    """

    space: SearchSpace
    width: float
    resolution: int
    train: Split
    validation: Split
    classes: int
    seed: int = 0
    processes: int = 1
    folder: Path | None = None
    keeps_trained: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    supernet: Supernet | None = None
    sample: Callable[[np.random.Generator], Genotype] | None = None
    remember: Callable[[Evaluator], Evaluator] = _unchanged

    def graph(
        self,
        genotype: Genotype,
        dtype: DType = DType.FLOAT32,
        *,
        width: float | None = None,
        resolution: int | None = None,
    ) -> Graph:
        """The network of a genotype: FLOAT32 to train it, INT8 to count; at another width or resolution if given.

        Raises:
            SpaceError: `genotype` is not a member of the space.
        """
        architecture = self.space.decode(
            genotype,
            self.width if width is None else width,
            self.resolution if resolution is None else resolution,
            self.train.images.shape[3],
            self.classes,
        )
        return build_graph(architecture, dtype)

    def draw(self, rng: np.random.Generator) -> Genotype:
        """A random network that may be looked at."""
        return self.space.sample(rng) if self.sample is None else self.sample(rng)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What any answer about a network depends on, as JSON values: the part of a key that all evaluators share."""
        return {
            "space": self.space.definition(),
            "width": self.width,
            "resolution": self.resolution,
            "channels": self.train.images.shape[3],
            "classes": self.classes,
        }

    @cached_property
    def data_digest(self) -> str:
        """Of training and held-out examples."""
        return f"{self.train.digest()}-{self.validation.digest()}"


def draw_examples(split: Split, count: int, seed: int) -> Split:
    """At most `count` examples of `split`, drawn at random with `seed`, in their order."""
    order = np.random.default_rng([seed, _DRAW]).permutation(len(split))
    return split.take(np.sort(order[:count]))
