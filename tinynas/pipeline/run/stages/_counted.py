"""What counting alone would choose, without looking at what a network is worth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from tinynas.search import Constraint, EvolutionarySearch, EvolutionOptions, SearchProblem, SpaceExhaustedError
from tinynas.spaces import Genotype, SearchSpace

# Costs are predicted in less than a millisecond, so counting may look at more networks than are evaluated.
_EVALUATIONS = 2000


def counted_best(
    space: SearchSpace, constraint: Constraint, count: Callable[[Genotype], float], evaluations: int, seed: int
) -> Genotype:
    """The network that counts most among those that meet the constraints.

    Args:
        space: where it is from.
        constraint: the hard constraints.
        count: of a network, as cheap as a constraint.
        evaluations: of the search, which looks at no more networks than this does.
        seed: the same seed finds the same network.

    Raises:
        InfeasibleError: no network was found that meets the constraints.
    """
    evaluations = max(_EVALUATIONS, evaluations)
    problem = SearchProblem(space, constraint, evaluations)
    counting = EvolutionarySearch(problem, seed, EvolutionOptions(population=100, parents=20))
    with suppress(SpaceExhaustedError):  # fewer networks meet the constraints: those are all
        while len(counting.scored) < evaluations:
            trial = counting.ask()
            counting.tell(trial, count(trial.genotype))
    return max(counting.scored, key=lambda observation: observation.score).genotype
