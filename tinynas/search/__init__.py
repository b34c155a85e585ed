"""Search strategies behind ask and tell, hard constraints, and the Pareto front."""

from tinynas.search._evolution import EvolutionarySearch
from tinynas.search._pareto import Evaluation, ParetoArchive
from tinynas.search._random import RandomSearch
from tinynas.search._strategy import Constraint, InfeasibleError, SearchStrategy, SpaceExhaustedError, StrategyError

__all__ = [
    "Constraint",
    "Evaluation",
    "EvolutionarySearch",
    "InfeasibleError",
    "ParetoArchive",
    "RandomSearch",
    "SearchStrategy",
    "SpaceExhaustedError",
    "StrategyError",
]
