"""What a search method is: the training that it owns, what scores its networks, and what asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from tinynas.evaluation import EvaluationTask, Evaluator
from tinynas.search._errors import MethodError
from tinynas.search._problem import SearchProblem
from tinynas.search._strategy import SearchStrategy
from tinynas.spaces import Block

if TYPE_CHECKING:
    from tinynas.training import Supernet, TrainingSettings

TrainingProgress = Callable[[int, int, float], None]
"""Called after each step of a training with (steps done, steps in all, loss)."""


class MethodOptions(BaseModel):
    """Options of a search method; each has a default, unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def check(self) -> None:
        """Check what the types of the options cannot say, before there is a task.

        Raises:
            UsageError: something that the options name does not exist, or has no such options.
        """

    @property
    def accuracy(self) -> bool:
        """Whether scores are accuracies in [0, 1]."""
        return True


def _no_supernet() -> Supernet:
    raise MethodError("this search needs trained shared weights, and there are none here")


@dataclass(frozen=True)
class BlockCosts:
    """What one inference costs, as a sum over the blocks of a network.

    Attributes:
        of: predicted cost of a block, above 0; None where it is not known.
        limit: the most that the sum may be, what an inference costs beside its blocks taken off; None: no limit.
        unit: of both.
    """

    of: Callable[[Block], float | None]
    limit: float | None = None
    unit: str = "MACs"


@dataclass(frozen=True, eq=False)
class MethodTask:
    """What is searched, on which data, and what a method may use for that.

    Nothing here is of a board or of a run: a method can be asked in a short program.

    Attributes:
        problem: space, hard constraints, costs, and the budget in evaluations.
        evaluation: networks and data; its seed is the seed of everything, its supernet is not looked at.
        costs: of blocks, for methods that descend along an expected cost; None: a network costs nothing.
        training: how shared weights are trained, for methods that own that training; None: a method's own defaults.
        supernet: gives the weights of a supernet that was trained on its own, and trains it when it is first called.
    """

    problem: SearchProblem
    evaluation: EvaluationTask
    costs: BlockCosts | None = None
    training: TrainingSettings | None = None
    supernet: Callable[[], Supernet] = field(default=_no_supernet)


@runtime_checkable
class SearchMethod(Protocol):
    """How networks are searched: a training of the method's own, if it has one, then rounds of asking and scoring.

    The order is: build it, which refuses what cannot work before anything is trained; `train`; then `evaluator` and
    `strategy`, once each. Networks that the strategy asks for are scored by the evaluator and told; between rounds
    the costs behind the hard constraints may be predicted anew. Everything follows from task, options and scores, so
    that after an interruption the same calls lead to where it was.

    Implementations pass `tinynas.testing.BaseSearchMethodTestCase`.
    """

    @property
    def name(self) -> str:
        """By which it is named in configurations."""
        ...

    @property
    def origin(self) -> str:
        """Under which what it found is reported: the name of a strategy, or its own."""
        ...

    @property
    def training_steps(self) -> int:
        """Steps of the training that the method owns; 0: it has none."""
        ...

    def train(self, checkpoint: Path | None = None, progress: TrainingProgress | None = None) -> None:
        """Train what the scores of networks need; without a training of its own, do nothing.

        Args:
            checkpoint: file to continue from, and to write on the way and at the end. One of a finished training is
                taken up at once; one that was killed and continued ends in the same bits as one that was not.
            progress: called after each step.

        Raises:
            CheckpointError: the checkpoint is damaged or belongs to another training.
            TrainingDiverged: the loss is no longer finite.
        """
        ...

    def evaluator(self) -> Evaluator:
        """What scores its networks, and those of random search beside it."""
        ...

    def strategy(self, fidelities: tuple[float, ...] = (1.0,)) -> SearchStrategy:
        """A new strategy that asks for networks to score.

        Args:
            fidelities: of the evaluator.

        Raises:
            StrategyError: the strategy cannot search this problem.
        """
        ...

    def learned(self) -> Mapping[str, Any]:
        """What its training found out about the space, for `search.json`, as JSON values; empty without a training."""
        ...

    @property
    def supernet(self) -> Supernet | None:
        """The trained weights that its networks may go on from, once there is an evaluator; None: there are none."""
        ...
