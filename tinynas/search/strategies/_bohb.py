"""BOHB: Hyperband whose networks come from a Parzen estimator."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from tinynas.search._base import BaseStrategy
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import Observation, SearchProblem, Trial
from tinynas.search.strategies._brackets import Brackets, hyperband_rungs
from tinynas.search.surrogates._parzen import JointParzen, bandwidths_of
from tinynas.search.surrogates._places import places_of
from tinynas.spaces import Genotype


class BohbOptions(StrategyOptions):
    """Options of `Bohb`; the defaults are those of Falkner et al. 2018 but for `least_bandwidth`.

    Attributes:
        random_share: rho, the share of networks that are drawn at random.
        good_share: q, the share of scores that count as good.
        candidates: N_s, networks drawn from the density of the good ones, of which the best ratio is asked.
        bandwidth_factor: how much wider the kernels are from which candidates are drawn.
        least_bandwidth: of any kernel: with a tiny one a variable in which all good networks agree never changes.
    """

    random_share: Annotated[float, Field(ge=0, le=1)] = 1 / 3
    good_share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    candidates: Annotated[int, Field(ge=1)] = 64
    bandwidth_factor: Annotated[float, Field(ge=1)] = 3.0
    least_bandwidth: Annotated[float, Field(gt=0, lt=0.5)] = 0.05


class Bohb(BaseStrategy):
    """Bayesian optimization and Hyperband (Falkner, Klein, Hutter 2018): its brackets, a model's networks.

    A new network maximizes l(x) / g(x) (their equation 4), the densities of good and of other networks at the
    highest fidelity with enough scores: N_b >= N_min + 2, N_min = d + 1, of which N_l = max(N_min, q N_b) are good and
    N_g = max(N_min, N_b - N_l) are not (their equation 3). A share of networks is random, so that it never falls
    behind Hyperband by more than a factor.

    Args:
        problem: what is searched, and at which fidelities.
        seed: the same seed and scores give the same sequence.
        options: of the model.
    """

    name = "bohb"

    def __init__(self, problem: SearchProblem, seed: int, options: BohbOptions | None = None) -> None:
        options = options or BohbOptions()
        super().__init__(problem, seed, options)
        self._options = options
        fidelities = problem.fidelities
        self._brackets = Brackets([hyperband_rungs(fidelities, skipped) for skipped in range(len(fidelities))])

    @property
    def awaits_scores(self) -> bool:
        return self._brackets.awaits_scores(self)

    def next_trial(self) -> Trial:
        return self._brackets.next_trial(self, self._new_genotype)

    def own_state(self) -> dict[str, Any]:
        return {"brackets": self._brackets.state()}

    def restore_own_state(self, state: dict[str, Any]) -> None:
        self._brackets.restore(state["brackets"])

    def _new_genotype(self) -> Genotype:
        genotype = self.next_initial()
        if genotype is None and self.rng.random() >= self._options.random_share:
            genotype = self._likeliest_good()
        return genotype or self.fresh(self.random_genotype)

    def _likeliest_good(self) -> Genotype | None:
        scored = self._highest_fidelity_with_enough()
        if not scored:
            return None
        least = len(self.problem.space.variables) + 1
        good = max(least, math.ceil(self._options.good_share * len(scored)))
        bad = max(least, len(scored) - good)
        likely, wide = self._density(scored[:good])
        unlikely, _ = self._density(scored[-bad:])
        pool = self.candidates.new(wide.sample(self.rng) for _ in range(self._options.candidates))
        if not pool:
            return None
        places = places_of(self.problem.space.variables, pool)
        genotype = pool[int(np.argmax(likely.log_density(places) - unlikely.log_density(places)))]
        self.candidates.take(genotype)
        return genotype

    def _highest_fidelity_with_enough(self) -> list[Genotype]:
        """The networks told at that fidelity, best first, infeasible ones last; none if there is no such fidelity."""
        by_fidelity: dict[float, list[Observation]] = {}
        for observation in self.ledger.told:
            by_fidelity.setdefault(observation.trial.fidelity, []).append(observation)
        enough = len(self.problem.space.variables) + 3
        for fidelity in reversed(self.problem.fidelities):
            told = by_fidelity.get(fidelity, [])
            if len(told) >= enough:
                return [o.genotype for o in sorted(told, key=lambda o: (not o.feasible, -o.score))]
        return []

    def _density(self, genotypes: list[Genotype]) -> tuple[JointParzen, JointParzen]:
        """The density of networks, and a wider one to draw from."""
        variables, options = self.problem.space.variables, self._options
        bandwidths = bandwidths_of(variables, genotypes, options.least_bandwidth)
        wide = [min(0.95, options.bandwidth_factor * bandwidth) for bandwidth in bandwidths]
        return JointParzen(variables, genotypes, bandwidths), JointParzen(variables, genotypes, wide)
