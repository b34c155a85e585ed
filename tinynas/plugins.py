"""Plugins: what other packages add to a family, found by entry points when a name is first looked up.

An entry point names the thing itself, or a function without arguments that returns it, under the name that the thing
has. Nothing is imported before it is asked for, and a plugin that cannot be used is in nobody's way until then. What
this package has and what a program registers comes before plugins: the same configuration means the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, NamedTuple, Protocol, TypeVar

from tinynas.errors import ExternalError

OWN = "tinynas"
"""The source of what comes with this package."""


class Described(Protocol):
    """What can be listed."""

    @property
    def name(self) -> str:
        """By which it is asked for."""
        ...

    @property
    def description(self) -> str:
        """For listings, which show the first line."""
        ...


T = TypeVar("T", bound=Described)


class PluginError(ExternalError):
    """A plugin cannot be used. Carries the `distribution`, the `group` and the `entry_point` that are at fault."""

    def __init__(self, distribution: str, group: str, entry_point: str, problem: str) -> None:
        super().__init__(
            f"package {distribution}: entry point {entry_point!r} of group {group!r} {problem}; "
            "repair or uninstall the package"
        )
        self.distribution = distribution
        self.group = group
        self.entry_point = entry_point


class Listed(NamedTuple):
    """One line of a listing.

    Attributes:
        name: by which it is asked for.
        description: one line; of a plugin that cannot be used, `broken: ` and why.
        source: `OWN`, or the distribution that it comes from.
    """

    name: str
    description: str
    source: str

    @classmethod
    def of(cls, member: Described, source: str) -> Listed:
        """The line of a member."""
        return cls(member.name, next(iter(member.description.strip().splitlines()), ""), source)


def _faultless(_: Described) -> str | None:
    return None


class Plugins(Generic[T]):
    """The plugins of one family, by name.

    Args:
        group: the group of entry points, such as `tinynas.spaces`.
        kind: what an entry point must give.
        fault: why something of that kind cannot be used, as the end of a sentence; None if it can.
    """

    def __init__(self, group: str, kind: type[T], fault: Callable[[T], str | None] = _faultless) -> None:
        self.group = group
        self._kind = kind
        self._fault = fault
        self._loaded: dict[str, T] = {}

    def names(self) -> list[str]:
        """The names of all plugins, sorted; nothing is imported."""
        return sorted(_entry_points(self.group))

    def get(self, name: str) -> T | None:
        """The plugin of that name, imported now; None if there is none.

        Raises:
            PluginError: it cannot be imported, is not what the group is for, is called otherwise, has no description,
                cannot be used, or several packages have one of that name.
        """
        found = _entry_points(self.group).get(name)
        if found is None:
            return None
        if name not in self._loaded:
            self._loaded[name] = self._load(found)
        return self._loaded[name]

    def versions(self, name: str) -> dict[str, str]:
        """The version of the distribution that has the plugin of that name, by its name; empty if there is none."""
        return {
            _distribution(entry_point): _version(entry_point) for entry_point in _entry_points(self.group).get(name, ())
        }

    def listed(self, taken: Mapping[str, str]) -> Iterator[Listed]:
        """A line for each plugin, all of which are imported; broken ones say why.

        Args:
            taken: names that no plugin may have, and the source of what has them.
        """
        for name, found in sorted(_entry_points(self.group).items()):
            try:
                if name in taken:
                    raise self._error(found[0], f"takes the name of what {taken[name]} has")
                plugin = self.get(name)
                assert plugin is not None
                yield Listed.of(plugin, _distribution(found[0]))
            except PluginError as error:
                yield Listed(name, f"broken: {error}", error.distribution)

    def _load(self, found: tuple[EntryPoint, ...]) -> T:
        entry_point = found[0]
        if len(found) > 1:
            raise self._error(entry_point, f"takes the name of what {_distribution(found[1])} has")
        try:
            loaded = entry_point.load()
            if callable(loaded) and (isinstance(loaded, type) or not isinstance(loaded, self._kind)):
                loaded = loaded()
        except (Exception, SystemExit) as error:  # whatever a module of others raises when it is imported or called
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise self._error(entry_point, f"({entry_point.value}) cannot be loaded: {reason}") from error
        if not isinstance(loaded, self._kind):
            raise self._error(entry_point, f"({entry_point.value}) gives no {self._kind.__name__}")
        if (name := getattr(loaded, "name", entry_point.name)) != entry_point.name:
            raise self._error(entry_point, f"({entry_point.value}) gives one of another name, {name!r}")
        if not isinstance(description := loaded.description, str) or not description.strip():
            raise self._error(entry_point, f"({entry_point.value}) gives one that has no description")
        if (fault := self._fault(loaded)) is not None:
            raise self._error(entry_point, f"({entry_point.value}) gives one that {fault}")
        return loaded

    def _error(self, entry_point: EntryPoint, problem: str) -> PluginError:
        return PluginError(_distribution(entry_point), self.group, entry_point.name, problem)


@cache
def _entry_points(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points of a group by name, those of equal names sorted by their distributions."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry_point in sorted(entry_points(group=group), key=_distribution):
        found[entry_point.name] = (*found.get(entry_point.name, ()), entry_point)
    return found


def _distribution(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist is not None else "unknown"


def _version(entry_point: EntryPoint) -> str:
    return entry_point.dist.version if entry_point.dist is not None else "unknown"
