"""Gradient-based search: probabilities of the choices are trained together with the weights that all networks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinynas import training
from tinynas.evaluation import Evaluator, build_evaluator
from tinynas.search._errors import MethodError
from tinynas.search._method import MethodTask, TrainingProgress
from tinynas.search._strategy import SearchStrategy
from tinynas.search.methods.gradient._dependence import Dependence
from tinynas.search.methods.gradient._distribution import LearnedDistribution
from tinynas.search.methods.gradient._options import GradientOptions
from tinynas.search.methods.gradient._relax import cost_terms, relax
from tinynas.spaces import Architecture, Genotype, SearchSpace

if TYPE_CHECKING:
    from tinynas.training import Supernet, TrainingSettings

_STEPS = 1500
_COMPARED = 6  # random networks, beside the smallest and the largest
_COMPARED_IMAGES = 4
_TOLERANCE = 1e-2  # of the largest score: float32 through a few dozen batch norms of few images
_COMPARE = 0x3C0


class GradientMethod:
    """Differentiable architecture search over the shared weights of a space.

    Every variable has a categorical distribution, softmax(alpha). A step draws relaxed choices (Gumbel-softmax, at a
    temperature that falls), executes the largest network under them, and trains the weights on one half of the training
    set, then alpha on the other:

        weights:  min CE(w, alpha; half 1)
        alpha:    min CE(w, alpha; half 2) * (E[cost] / target)^weight

    After FBNet (Wu et al. 2019: Gumbel-softmax and the product with the cost), FBNetV2 (Wan et al. 2020: masks over one
    set of weights) and DARTS (Liu et al. 2019: alternating steps, first order). E[cost] is the sum over blocks and
    their settings of probability times predicted cost. Networks are then drawn from the distribution, its mode first;
    those that meet the hard constraints are scored with the shared weights as by the evaluator `supernet`.

    Args:
        task: what is searched; `training` says how the weights are trained.
        options: of the architecture parameters.

    Raises:
        MethodError: the networks of the space are no masks over its largest one.
    """

    name = origin = "gradient"

    def __init__(self, task: MethodTask, options: GradientOptions) -> None:
        self._task = task
        self._options = options
        evaluation, space = task.evaluation, task.evaluation.space
        dependence = Dependence(space.variables)
        largest = evaluation.graph(dependence.genotype())
        weights = training.Supernet([largest], seed=evaluation.seed, device=training.training_device())
        self.supernet: Supernet | None = weights
        self._weights = weights
        relaxed = relax(space.name, dependence, evaluation.graph)
        self._search = training.RelaxedSearch(
            relaxed,
            _allowed(task, dependence),
            None if task.costs is None else cost_terms(space.name, dependence, self._architecture, task.costs),
            training.ArchitectureSettings(
                learning_rate=options.learning_rate,
                weight_decay=options.weight_decay,
                warmup=options.warmup,
                temperatures=(options.first_temperature, options.last_temperature),
                cost_weight=options.cost_weight,
                excess_weight=options.excess_weight,
            ),
        )
        self._alpha = training.architecture_parameters(self._search, weights.device)
        self._check_masks()

    @property
    def training_steps(self) -> int:
        """Steps of both trainings, which alternate."""
        return self._settings.steps

    def train(self, checkpoint: Path | None = None, progress: TrainingProgress | None = None) -> None:
        """See `SearchMethod.train`."""
        evaluation = self._task.evaluation
        training.train_architecture(
            self._weights,
            self._alpha,
            self._search,
            data=evaluation.train.resized(evaluation.resolution),
            settings=self._settings,
            seed=evaluation.seed,
            processes=evaluation.processes,
            checkpoint=checkpoint,
            progress=progress,
        )

    def evaluator(self) -> Evaluator:
        """See `SearchMethod.evaluator`."""
        return build_evaluator(
            "supernet", replace(self._task.evaluation, supernet=self._weights), self._options.images()
        )

    def strategy(self, fidelities: tuple[float, ...] = (1.0,)) -> SearchStrategy:
        """See `SearchMethod.strategy`: draws from the distribution as it is."""
        problem = replace(self._task.problem, fidelities=fidelities)
        return LearnedDistribution(problem, self._task.evaluation.seed, self.probabilities())

    def probabilities(self) -> list[npt.NDArray[np.float64]]:
        """Of the values of each variable, where it is active."""
        flat = training.probabilities_of(self._search, self._alpha)
        return np.split(flat, np.cumsum(self._search.relaxed.choices)[:-1])

    def learned(self) -> Mapping[str, Any]:
        """The probability of each value of each variable, by their names."""
        variables = self._task.evaluation.space.variables
        return {
            variable.name: {
                str(variable.label(v)): float(p) for v, p in zip(variable.values, probabilities, strict=True)
            }
            for variable, probabilities in zip(variables, self.probabilities(), strict=True)
        }

    @property
    def _settings(self) -> TrainingSettings:
        default = training.TrainingSettings(_STEPS, augmentation=self._task.evaluation.augmentation)
        return self._task.training or default

    def _architecture(self, genotype: Genotype) -> Architecture:
        task = self._task.evaluation
        return task.space.decode(genotype, task.width, task.resolution, task.train.images.shape[3], task.classes)

    def _check_masks(self) -> None:
        """Compare networks under masks with the same ones cut out: whatever was not seen about a space shows here."""
        space, rng = self._task.evaluation.space, np.random.default_rng([self._task.evaluation.seed, _COMPARE])
        genotypes = [space.smallest(), space.largest(), *(space.sample(rng) for _ in range(_COMPARED))]
        shape = (_COMPARED_IMAGES, *self._search.relaxed.graph.tensor(self._search.relaxed.graph.inputs[0]).shape[1:])
        images = rng.integers(0, 256, shape).astype(np.uint8)
        for genotype in genotypes:
            error = training.relaxation_error(
                self._weights,
                self._search.relaxed,
                one_hot(space, genotype),
                self._task.evaluation.graph(genotype),
                images,
            )
            if not error <= _TOLERANCE:
                raise MethodError(
                    f"search method 'gradient' cannot search {space.name!r}: network {list(genotype)} is no mask over "
                    'its largest one; take method = "sampled"'
                )


def one_hot(space: SearchSpace, genotype: Sequence[int]) -> npt.NDArray[np.float64]:
    """Probabilities under which `genotype` is certain; a variable that is not active has its first value."""
    parts = []
    for variable, value in zip(space.variables, genotype, strict=True):
        part = np.zeros(len(variable.values))
        part[variable.values.index(value) if value in variable.values else 0] = 1.0
        parts.append(part)
    return np.concatenate(parts)


def _allowed(task: MethodTask, dependence: Dependence) -> tuple[bool, ...]:
    """Which values can be part of a network that meets the hard constraints.

    A value for which not even the smallest network with it does is left out, costs growing with all other variables.
    """
    constraint = task.problem.constraint
    allowed: list[bool] = []
    for position, size in enumerate(dependence.sizes):
        fits = [not constraint(dependence.smallest_with(position, value)) for value in range(size)]
        allowed += fits if any(fits) else [True] * size
    return tuple(allowed)
