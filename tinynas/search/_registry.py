"""Strategies by name: those of this package, those that a program registers, and plugins of other packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinynas.plugins import Listed
from tinynas.registry import PROGRAM, Registry
from tinynas.search._errors import StrategyError
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem
from tinynas.search._strategy import SearchStrategy
from tinynas.targets import read_options


@dataclass(frozen=True)
class StrategySpec:
    """A strategy that can be had by its name.

    Attributes:
        name: as in a configuration file.
        description: for listings, which show the first line.
        build: makes a strategy from a problem, a seed and the options.
        options: the class of its options.
        chooses_fidelities: whether it asks for networks at several fidelities where the evaluator has several.
        uses_objectives: whether it minimizes the objectives of its problem; others do not look at them.
    """

    name: str
    description: str
    build: Callable[[SearchProblem, int, Any], SearchStrategy]
    options: type[StrategyOptions] = StrategyOptions
    chooses_fidelities: bool = False
    uses_objectives: bool = False


_STRATEGIES = Registry("strategy", StrategySpec, StrategyError, group="tinynas.strategies", options=StrategyOptions)


def register_strategy(spec: StrategySpec, source: str = PROGRAM) -> None:
    """Make a strategy known by its name, for as long as the program runs.

    Raises:
        StrategyError: the name is taken, or its options are no class of `StrategyOptions`.
    """
    _STRATEGIES.register(spec, source)


def strategy_names() -> list[str]:
    """Every name there is, plugins included; nothing is imported."""
    return _STRATEGIES.names()


def list_strategies() -> list[Listed]:
    """Every strategy by name, description and source; plugins are imported now, and broken ones say why."""
    return _STRATEGIES.listed()


def strategy(name: str) -> StrategySpec:
    """The strategy of that name; a plugin is imported now.

    Raises:
        StrategyError: there is none; names the nearest.
        PluginError: it is a plugin that cannot be used.
    """
    return _STRATEGIES.get(name)


def strategy_versions(name: str) -> dict[str, str]:
    """The version of the distribution that a strategy comes from, by its name; empty for what is no plugin."""
    return _STRATEGIES.versions(name)


def check_strategy_options(name: str, options: Mapping[str, Any]) -> None:
    """Check the options of a strategy before there is a problem.

    Raises:
        StrategyError: there is no such strategy or option, or an option cannot have that value.
        PluginError: it is a plugin that cannot be used.
    """
    read_options(f"strategy {name!r}", strategy(name).options, options, StrategyError)


def build_strategy(
    name: str, problem: SearchProblem, seed: int, options: Mapping[str, Any] | None = None
) -> SearchStrategy:
    """A new strategy by name, with the options that a configuration file gives it.

    Raises:
        StrategyError: there is no such strategy or option, or an option cannot have that value.
        PluginError: it is a plugin that cannot be used.
    """
    spec = strategy(name)
    return spec.build(problem, seed, read_options(f"strategy {name!r}", spec.options, options or {}, StrategyError))
