"""Strategies by name: those of this package, those that a program registers, and plugins of other packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tinynas.errors import ExternalError
from tinynas.search._errors import StrategyError
from tinynas.search._options import StrategyOptions, read_options
from tinynas.search._problem import SearchProblem
from tinynas.search._strategy import SearchStrategy
from tinynas.targets import closest

GROUP = "tinynas.strategies"
"""The group of entry points. Each names a `StrategySpec` under the strategy's name."""


class PluginError(ExternalError):
    """A plugin cannot be used. Carries the `distribution` and the `entry_point` that are at fault."""

    def __init__(self, distribution: str, entry_point: str, problem: str) -> None:
        super().__init__(
            f"package {distribution}: entry point {entry_point!r} of group {GROUP!r} {problem}; "
            "repair or uninstall the package"
        )
        self.distribution = distribution
        self.entry_point = entry_point


@dataclass(frozen=True)
class StrategySpec:
    """A strategy that can be had by its name.

    Attributes:
        name: as in a configuration file.
        description: one line for listings.
        build: makes a strategy from a problem, a seed and the options.
        options: the class of its options.
        source: `tinynas`, or the distribution that it comes from.
    """

    name: str
    description: str
    build: Callable[[SearchProblem, int, Any], SearchStrategy]
    options: type[StrategyOptions] = StrategyOptions
    source: str = "tinynas"


_registered: dict[str, StrategySpec] = {}


def register_strategy(spec: StrategySpec) -> None:
    """Make a strategy known by its name, for as long as the program runs.

    Raises:
        StrategyError: the name is taken.
    """
    if spec.name in _registered or spec.name in _plugins():
        raise StrategyError(f"there is a strategy {spec.name!r} already; register it under another name")
    _registered[spec.name] = spec


def register_built_in(*specs: StrategySpec) -> None:
    """Enter this package's own strategies, at import: no plugin is looked for."""
    _registered.update({spec.name: spec for spec in specs})


def strategy_names() -> tuple[str, ...]:
    """Every name there is: this package's in the order of its list, then what was registered, then plugins."""
    return (*_registered, *(name for name in _plugins() if name not in _registered))


def strategy(name: str) -> StrategySpec:
    """The strategy of that name; a plugin is imported now.

    Raises:
        StrategyError: there is none; names the nearest.
        PluginError: it is a plugin that cannot be imported, is no `StrategySpec`, or takes the name of another.
    """
    if name in _registered:  # no plugin can take its place: the same configuration means the same search everywhere
        return _registered[name]
    plugins = _plugins().get(name, ())
    if not plugins:
        raise StrategyError(f"unknown strategy {name!r}; {closest(name, list(strategy_names()))}")
    return _load(plugins)


def list_strategies() -> tuple[StrategySpec | PluginError, ...]:
    """Everything there is, for a listing; plugins are imported now, and one that cannot be used is its error."""
    found: list[StrategySpec | PluginError] = list(_registered.values())
    for plugins in _plugins().values():
        try:
            found.append(_load(plugins))
        except PluginError as error:
            found.append(error)
    return tuple(found)


def build_strategy(
    name: str, problem: SearchProblem, seed: int, options: Mapping[str, Any] | None = None
) -> SearchStrategy:
    """A new strategy by name, with the options that a configuration file gives it.

    Raises:
        StrategyError: there is no such strategy or option, or an option cannot have that value.
        PluginError: it is a plugin that cannot be used.
    """
    spec = strategy(name)
    return spec.build(problem, seed, read_options(name, spec.options, options or {}))


@cache
def _plugins() -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points by name, sorted by the distribution that they come from; nothing is imported."""
    found: dict[str, list[EntryPoint]] = {}
    for entry_point in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, _distribution(entry))):
        found.setdefault(entry_point.name, []).append(entry_point)
    return {name: tuple(entries) for name, entries in found.items()}


def _load(plugins: tuple[EntryPoint, ...]) -> StrategySpec:
    plugin = plugins[0]
    name, distribution = plugin.name, _distribution(plugin)
    others = [_registered[name].source] if name in _registered else [_distribution(other) for other in plugins[1:]]
    if others:
        raise PluginError(distribution, name, f"takes the name of a strategy of {others[0]}")
    try:
        loaded = plugin.load()
    except Exception as error:  # whatever a module of others raises when it is imported
        line = " ".join(str(error).split())
        raise PluginError(
            distribution, name, f"({plugin.value}) cannot be imported: {type(error).__name__}: {line}"
        ) from error
    if not isinstance(loaded, StrategySpec):
        raise PluginError(distribution, name, f"({plugin.value}) is no tinynas.search.StrategySpec")
    if loaded.name != name:
        raise PluginError(distribution, name, f"({plugin.value}) is a strategy of another name, {loaded.name!r}")
    return StrategySpec(name, loaded.description, loaded.build, loaded.options, distribution)


def _distribution(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist is not None else "unknown"
