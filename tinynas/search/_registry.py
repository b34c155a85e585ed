"""Strategies by name: those of this package, those that a program registers, and plugins of other packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinynas.plugins import Listed, Plugins
from tinynas.search._errors import StrategyError
from tinynas.search._options import StrategyOptions
from tinynas.search._problem import SearchProblem
from tinynas.search._strategy import SearchStrategy
from tinynas.targets import closest, read_options


@dataclass(frozen=True)
class StrategySpec:
    """A strategy that can be had by its name.

    Attributes:
        name: as in a configuration file.
        description: one line for listings.
        build: makes a strategy from a problem, a seed and the options.
        options: the class of its options.
        needs_fidelities: whether it is random search where networks can be scored at one fidelity only.
        source: who has it; of a plugin, listings say the distribution that it comes from.
    """

    name: str
    description: str
    build: Callable[[SearchProblem, int, Any], SearchStrategy]
    options: type[StrategyOptions] = StrategyOptions
    source: str = "this program"
    needs_fidelities: bool = False


_PLUGINS = Plugins("tinynas.strategies", StrategySpec)
_registered: dict[str, StrategySpec] = {}


def register_strategy(spec: StrategySpec) -> None:
    """Make a strategy known by its name, for as long as the program runs.

    Raises:
        StrategyError: the name is taken.
    """
    if spec.name in _registered:
        raise StrategyError(f"there is a strategy {spec.name!r} already; register it under another name")
    _registered[spec.name] = spec


def strategy_names() -> list[str]:
    """Every name there is, plugins included; nothing is imported."""
    return [*_registered, *(name for name in _PLUGINS.names() if name not in _registered)]


def search_strategies() -> list[Listed]:
    """Every strategy by name, description and source; plugins are imported now, and broken ones say why."""
    known = [Listed(spec.name, spec.description, spec.source) for spec in _registered.values()]
    return [*known, *_PLUGINS.listed({spec.name: spec.source for spec in known}, lambda spec: spec.description)]


def strategy(name: str) -> StrategySpec:
    """The strategy of that name; a plugin is imported now.

    Raises:
        StrategyError: there is none; names the nearest.
        PluginError: it is a plugin that cannot be used.
    """
    spec = _registered.get(name) or _PLUGINS.get(name)
    if spec is None:
        raise StrategyError(f"unknown strategy {name!r}; {closest(name, strategy_names())}")
    return spec


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
