"""Search by samples: a strategy asks for networks, an evaluator scores them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tinynas import training
from tinynas.evaluation import (
    EvaluationTask,
    Evaluator,
    build_evaluator,
    check_evaluator_options,
    check_shared_weights,
    is_accuracy,
    needs_supernet,
)
from tinynas.search._method import MethodOptions, MethodTask, TrainingProgress
from tinynas.search._registry import build_strategy, check_strategy_options, strategy
from tinynas.search._strategy import SearchStrategy

if TYPE_CHECKING:
    from tinynas.training import Supernet

logger = logging.getLogger(__name__)


class SampledOptions(MethodOptions):
    """Which strategy and which evaluator; a configuration file has these in `[search]` itself.

    Attributes:
        strategy: what asks for networks.
        strategy_options: its own.
        evaluator: what scores them.
        evaluator_options: its own.
    """

    strategy: str = "evolution"
    strategy_options: dict[str, Any] = Field(default_factory=dict)
    evaluator: str = "supernet"
    evaluator_options: dict[str, Any] = Field(default_factory=dict)

    def check(self) -> None:
        """See `MethodOptions.check`."""
        check_strategy_options(self.strategy, self.strategy_options)
        check_evaluator_options(self.evaluator, self.evaluator_options)

    @property
    def accuracy(self) -> bool:
        """Whether the evaluator gives accuracies."""
        return is_accuracy(self.evaluator, self.evaluator_options)


class SampledMethod:
    """Any strategy with any evaluator. Shared weights are trained where the evaluator looks at them, else not.

    Args:
        task: what is searched, and where trained shared weights are from.
        options: strategy and evaluator.

    Raises:
        StrategyError: the strategy cannot search this problem.
        EvaluatorError: the evaluator lacks what it needs.
    """

    name = "sampled"
    training_steps = 0

    def __init__(self, task: MethodTask, options: SampledOptions) -> None:
        self._task = task
        self._options = options
        self.origin = options.strategy
        self.supernet: Supernet | None = None
        with closing(self._evaluator_of(task.evaluation, untrained=True)) as evaluator:
            self.strategy(tuple(evaluator.fidelities))

    def train(self, checkpoint: Path | None = None, progress: TrainingProgress | None = None) -> None:
        """Nothing: a supernet is trained before the search knows anything of scores."""

    def evaluator(self) -> Evaluator:
        """See `SearchMethod.evaluator`; trains the supernet if the evaluator needs one."""
        if needs_supernet(self._options.evaluator, self._options.evaluator_options):
            self.supernet = self._task.supernet()
        evaluator = self._evaluator_of(self._task.evaluation)
        if strategy(self.origin).chooses_fidelities and len(evaluator.fidelities) == 1:
            logger.warning("strategy %s chooses fidelities, and evaluator %s has one", self.origin, evaluator.name)
        return evaluator

    def strategy(self, fidelities: tuple[float, ...] = (1.0,)) -> SearchStrategy:
        """See `SearchMethod.strategy`."""
        problem = replace(self._task.problem, fidelities=fidelities)
        return build_strategy(self.origin, problem, self._task.evaluation.seed, self._options.strategy_options)

    def learned(self) -> Mapping[str, Any]:
        """Nothing: there is no training of its own."""
        return {}

    def _evaluator_of(self, task: EvaluationTask, *, untrained: bool = False) -> Evaluator:
        """The evaluator; with untrained weights it refuses what it would refuse after they were trained."""
        weights = self.supernet
        if untrained and needs_supernet(self._options.evaluator, self._options.evaluator_options):
            check_shared_weights(task)
            weights = training.Supernet([task.graph(task.space.largest())], seed=task.seed)
        return build_evaluator(
            self._options.evaluator, replace(task, supernet=weights), self._options.evaluator_options
        )
