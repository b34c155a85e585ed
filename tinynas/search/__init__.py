"""Search strategies behind ask and tell, hard constraints, and the Pareto front."""

from tinynas.search._candidates import Candidates
from tinynas.search._evolution import EvolutionarySearch
from tinynas.search._ledger import Ledger, reading_state
from tinynas.search._pareto import Evaluation, ParetoArchive
from tinynas.search._random import RandomSearch
from tinynas.search._strategy import Constraint, InfeasibleError, SearchStrategy, SpaceExhaustedError, StrategyError

__all__ = [
    "Candidates",
    "Constraint",
    "Evaluation",
    "EvolutionarySearch",
    "InfeasibleError",
    "Ledger",
    "ParetoArchive",
    "RandomSearch",
    "SearchStrategy",
    "SpaceExhaustedError",
    "StrategyError",
    "reading_state",
]
