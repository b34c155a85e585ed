"""Search strategies behind ask and tell, by name; hard and soft constraints, and the Pareto front."""

from tinynas.search._base import BaseStrategy
from tinynas.search._candidates import Candidates
from tinynas.search._errors import InfeasibleError, SpaceExhaustedError, StrategyError
from tinynas.search._ledger import Ledger, reading_state
from tinynas.search._options import StrategyOptions
from tinynas.search._pareto import Evaluation, ParetoArchive
from tinynas.search._problem import Constraint, Costs, Observation, SearchProblem, Trial
from tinynas.search._registry import (
    PluginError,
    StrategySpec,
    build_strategy,
    list_strategies,
    register_strategy,
    strategy,
    strategy_names,
)
from tinynas.search._soft_constraints import SoftConstraint, mnasnet_product, weighted_sum
from tinynas.search._strategy import SearchStrategy
from tinynas.search.strategies import EvolutionarySearch, EvolutionOptions, RandomSearch

__all__ = [
    "BaseStrategy",
    "Candidates",
    "Constraint",
    "Costs",
    "Evaluation",
    "EvolutionOptions",
    "EvolutionarySearch",
    "InfeasibleError",
    "Ledger",
    "Observation",
    "ParetoArchive",
    "PluginError",
    "RandomSearch",
    "SearchProblem",
    "SearchStrategy",
    "SoftConstraint",
    "SpaceExhaustedError",
    "StrategyError",
    "StrategyOptions",
    "StrategySpec",
    "Trial",
    "build_strategy",
    "list_strategies",
    "mnasnet_product",
    "reading_state",
    "register_strategy",
    "strategy",
    "strategy_names",
    "weighted_sum",
]
