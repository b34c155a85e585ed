"""The loss of architecture parameters: relaxed choices, and what they are expected to cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from tinynas.errors import UsageError
from tinynas.training._mixture import Products, Term

_NOISE = 0x6B31


@dataclass(frozen=True)
class CostTerms:
    """An expected cost: the sum over blocks and their settings of probability times predicted cost.

    Attributes:
        constant: what every network costs.
        terms: positions of the probabilities whose product is how likely a setting is.
        costs: what each setting costs, in the unit of `constant`.
        limit: the most that a network may cost; None: no limit.
    """

    constant: float
    terms: tuple[Term, ...]
    costs: tuple[float, ...]
    limit: float | None = None


@dataclass(frozen=True)
class ArchitectureSettings:
    """How architecture parameters are trained.

    Attributes:
        learning_rate: of Adam with betas (0.5, 0.999), as of DARTS (Liu et al. 2019).
        weight_decay: L2 in the gradient; DARTS's.
        warmup: share of the steps in which the weights alone are trained, as in FBNet (Wu et al. 2019).
        temperatures: of the relaxed choices, at the first step and at the last; geometric between.
        cost_weight: exponent of the expected cost, see `architecture_loss`.
        excess_weight: the same where the expected cost exceeds the limit.
    """

    learning_rate: float = 0.05
    weight_decay: float = 1e-3
    warmup: float = 0.1
    temperatures: tuple[float, float] = (5.0, 0.1)
    cost_weight: float = 0.07
    excess_weight: float = 1.0

    def __post_init__(self) -> None:
        if not (self.learning_rate > 0 and self.weight_decay >= 0 and 0 <= self.warmup < 1):
            raise UsageError(f"learning_rate is above 0, weight_decay at least 0, warmup in [0, 1); got {self}")
        if min(self.temperatures) <= 0 or min(self.cost_weight, self.excess_weight) < 0:
            raise UsageError(f"temperatures are above 0, weights of the cost at least 0; got {self}")

    def temperature(self, step: int, steps: int) -> float:
        """Temperature of the relaxed choices at `step`, from 0."""
        first, last = self.temperatures
        return float(first * (last / first) ** (step / max(1, steps - 1)))


class Choices:
    """Independent choices with a parameter for each value, one after another in one vector.

    Args:
        sizes: the number of values of each choice.
        allowed: for each value, whether it may be chosen; those that may not have the probability 0.
        device: where the parameters are.
    """

    def __init__(self, sizes: Sequence[int], allowed: Sequence[bool], device: torch.device | str = "cpu") -> None:
        self._sizes = list(sizes)
        self._closed = torch.where(torch.tensor(list(allowed), dtype=torch.bool, device=device), 0.0, -torch.inf)

    def probabilities(self, parameters: torch.Tensor) -> torch.Tensor:
        """softmax(alpha) of each choice, [n]."""
        parts = torch.split(parameters + self._closed.to(parameters.dtype), self._sizes)
        return torch.cat([part.softmax(dim=0) for part in parts])

    def relaxed(self, parameters: torch.Tensor, noise: torch.Tensor, temperature: float) -> torch.Tensor:
        """Gumbel-softmax (Jang et al. 2017, equation 2): softmax((alpha + g) / temperature), [n].

        Args:
            parameters: [n] alpha.
            noise: [n] g, samples of Gumbel(0, 1).
            temperature: near 0 a choice is almost one value, that with the probability which alpha gives it.
        """
        return self.probabilities((parameters + noise.to(parameters.dtype)) / temperature)


def gumbel_noise(seed: int, step: int, shard: int, half: int, count: int) -> torch.Tensor:
    """[count] samples of Gumbel(0, 1), a pure function of the arguments."""
    rng = np.random.default_rng([seed, _NOISE, step, shard, half])
    return torch.from_numpy(rng.gumbel(size=count).astype(np.float32))


class ExpectedCost:
    """`CostTerms` as a function of the probabilities, relative to the limit, or to what it is at the beginning.

    Args:
        terms: what is expected to cost what.
        choices: the choices.
        device: where the probabilities are.
    """

    def __init__(self, terms: CostTerms, choices: Choices, device: torch.device | str = "cpu") -> None:
        self.limited = terms.limit is not None
        self._constant = terms.constant
        self._products = Products(terms.terms, device)
        self._costs = torch.tensor(terms.costs, dtype=torch.float64, device=device)
        count = sum(choices._sizes)
        at_first = self(choices.probabilities(torch.zeros(count, dtype=torch.float64, device=device)))
        self._reference = float(at_first) if terms.limit is None else terms.limit

    def __call__(self, probabilities: torch.Tensor) -> torch.Tensor:
        """The expected cost, in its unit."""
        return self._constant + self._products(probabilities.double()) @ self._costs

    def relative(self, probabilities: torch.Tensor) -> torch.Tensor:
        """The expected cost over the limit, or over what it is where all values are equally likely."""
        return self(probabilities) / self._reference


def architecture_loss(
    accuracy_loss: torch.Tensor, relative_cost: torch.Tensor, settings: ArchitectureSettings, limited: bool
) -> torch.Tensor:
    """CE(alpha) * (cost(alpha) / target)^w: FBNet's product (Wu et al. 2019, equation 2), with MnasNet's power.

    MnasNet (Tan et al. 2019, equation 3) takes one exponent within the limit and one beyond it: `cost_weight` and
    `excess_weight`. A product asks for relative changes of both, so that it has no unit; at the target it has no step.
    """
    beyond = limited and float(relative_cost.detach()) > 1
    weight = settings.excess_weight if beyond else settings.cost_weight
    return accuracy_loss * relative_cost.to(accuracy_loss.dtype) ** weight


def accuracy_loss(logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float) -> torch.Tensor:
    """Mean cross-entropy."""
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
