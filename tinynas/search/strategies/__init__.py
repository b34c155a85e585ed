"""One file a strategy; each is known by its name as soon as this package is imported."""

from collections.abc import Callable

from tinynas.plugins import OWN
from tinynas.search._options import StrategyOptions
from tinynas.search._registry import StrategySpec, register_strategy
from tinynas.search._strategy import SearchStrategy
from tinynas.search.strategies._aging_evolution import AgingEvolution, AgingEvolutionOptions
from tinynas.search.strategies._bohb import Bohb, BohbOptions
from tinynas.search.strategies._evolution import EvolutionarySearch, EvolutionOptions
from tinynas.search.strategies._gaussian_process import GaussianProcessOptions, GaussianProcessSearch
from tinynas.search.strategies._grid import GridSearch
from tinynas.search.strategies._hyperband import Hyperband
from tinynas.search.strategies._local_search import LocalSearch, LocalSearchOptions
from tinynas.search.strategies._nsga2 import Nsga2, Nsga2Options
from tinynas.search.strategies._predictor import PredictorOptions, PredictorSearch
from tinynas.search.strategies._predictor_halving import PredictorHalving, PredictorHalvingOptions
from tinynas.search.strategies._random import RandomSearch
from tinynas.search.strategies._reinforce import Reinforce, ReinforceOptions
from tinynas.search.strategies._successive_halving import SuccessiveHalving, SuccessiveHalvingOptions
from tinynas.search.strategies._tpe import TpeOptions, TpeSearch
from tinynas.search.strategies._train_and_rank import TrainAndRank, TrainAndRankOptions

_STRATEGIES: tuple[tuple[str, str, Callable[..., SearchStrategy], type[StrategyOptions]], ...] = (
    ("grid", "every network, once; the budget must hold them all", GridSearch, StrategyOptions),
    ("random", "random networks that meet the constraints, none twice", RandomSearch, StrategyOptions),
    ("evolution", "mutation and crossover of the best of all (MCUNet)", EvolutionarySearch, EvolutionOptions),
    ("aging-evolution", "mutation; the oldest leave (regularized evolution)", AgingEvolution, AgingEvolutionOptions),
    ("nsga2", "evolution towards the front of score and costs", Nsga2, Nsga2Options),
    ("local-search", "to the best neighbour until none is better", LocalSearch, LocalSearchOptions),
    (
        "gaussian-process",
        "a Gaussian process, expected improvement",
        GaussianProcessSearch,
        GaussianProcessOptions,
    ),
    ("tpe", "a tree-structured Parzen estimator: good against bad", TpeSearch, TpeOptions),
    ("predictor", "an ensemble of neural predictors chooses (BANANAS)", PredictorSearch, PredictorOptions),
    ("train-and-rank", "a predictor fitted once ranks thousands (Wen et al.)", TrainAndRank, TrainAndRankOptions),
    ("reinforce", "a recurrent controller learns by policy gradient (NASNet)", Reinforce, ReinforceOptions),
    (
        "successive-halving",
        "many short trainings, the best go on",
        SuccessiveHalving,
        SuccessiveHalvingOptions,
    ),
    ("hyperband", "successive halving that begins at every fidelity", Hyperband, StrategyOptions),
    ("bohb", "Hyperband whose networks a Parzen estimator proposes", Bohb, BohbOptions),
    (
        "predictor-halving",
        "successive halving whose networks a ridge regression proposes",
        PredictorHalving,
        PredictorHalvingOptions,
    ),
)
"""Name, description, class and options of each, simple ones first."""

_BRACKETS = (SuccessiveHalving, Hyperband, Bohb, PredictorHalving)

for _entry in _STRATEGIES:
    _class = _entry[2]
    _spec = StrategySpec(*_entry, chooses_fidelities=_class in _BRACKETS, uses_objectives=_class is Nsga2)
    register_strategy(_spec, OWN)

__all__ = [
    "AgingEvolution",
    "AgingEvolutionOptions",
    "Bohb",
    "BohbOptions",
    "EvolutionOptions",
    "EvolutionarySearch",
    "GaussianProcessOptions",
    "GaussianProcessSearch",
    "GridSearch",
    "Hyperband",
    "LocalSearch",
    "LocalSearchOptions",
    "Nsga2",
    "Nsga2Options",
    "PredictorHalving",
    "PredictorHalvingOptions",
    "PredictorOptions",
    "PredictorSearch",
    "RandomSearch",
    "Reinforce",
    "ReinforceOptions",
    "SuccessiveHalving",
    "SuccessiveHalvingOptions",
    "TpeOptions",
    "TpeSearch",
    "TrainAndRank",
    "TrainAndRankOptions",
]
