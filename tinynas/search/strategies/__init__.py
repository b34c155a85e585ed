"""One file a strategy; each is known by its name as soon as this package is imported."""

from tinynas.search._registry import StrategySpec, register_built_in
from tinynas.search.strategies._evolution import EvolutionarySearch, EvolutionOptions
from tinynas.search.strategies._random import RandomSearch

register_built_in(
    StrategySpec("random", "random networks that meet the constraints, none twice", RandomSearch),
    StrategySpec(
        "evolution",
        "generations with mutation and crossover, parents the best of all (MCUNet, Once-for-All)",
        EvolutionarySearch,
        EvolutionOptions,
    ),
)

__all__ = ["EvolutionOptions", "EvolutionarySearch", "RandomSearch"]
