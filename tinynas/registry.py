"""Registries: the members of one family by name, those of this package, of a program, and of plugins."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from tinynas.plugins import Described, Listed, PluginError, Plugins

Spec = TypeVar("Spec", bound=Described)

PROGRAM = "this program"
"""The source of what a program registers."""


def closest(word: str, candidates: Iterable[str]) -> str:
    """Return "did you mean '...'?" for the candidate nearest to `word`, or the list of all candidates."""
    names = sorted(candidates)
    matches = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if matches:
        return f"did you mean {matches[0]!r}?"
    return f"one of {', '.join(names)}" if names else "none exists"


class Registry(Generic[Spec]):
    """A family whose members are had by name; what comes first keeps its name.

    Args:
        what: one member, in messages: `strategy`.
        spec: the class of members.
        error: of what is raised about names.
        group: of the entry points by which other packages add members; None: they cannot.
        options: the class that the `options` of each member must be a class of; None: members have none.
    """

    def __init__(
        self,
        what: str,
        spec: type[Spec],
        error: Callable[[str], Exception],
        *,
        group: str | None = None,
        options: type | None = None,
    ) -> None:
        self._what = what
        self._one = f"{'an' if what[0] in 'aeiou' else 'a'} {what}"
        self._error = error
        self._options = options
        self._members: dict[str, tuple[Spec, str]] = {}
        self._plugins = None if group is None else Plugins(group, spec, self._fault)

    def register(self, spec: Spec, source: str = PROGRAM) -> None:
        """Make a member known by its name, for as long as the program runs; a second time, the same is no fault.

        Raises:
            Exception: as `error`: the name is taken, or the member cannot be used.
        """
        taken = self._members.get(spec.name)
        if taken is not None and taken[0] != spec:
            raise self._error(f"the name {spec.name!r} of {self._one} is taken already; choose another one")
        if (fault := self._fault(spec)) is not None:
            raise self._error(f"{self._what} {spec.name!r} {fault}")
        if taken is None:
            self._members[spec.name] = spec, source

    def names(self) -> list[str]:
        """Every name there is: as registered, then those of plugins, sorted; nothing is imported."""
        plugins = [] if self._plugins is None else self._plugins.names()
        return [*self._members, *(name for name in plugins if name not in self._members)]

    def get(self, name: str) -> Spec:
        """The member of that name; a plugin is imported now.

        Raises:
            Exception: as `error`: there is none; names the nearest.
            PluginError: it is a plugin that cannot be used.
        """
        if name in self._members:
            return self._members[name][0]
        plugin = None if self._plugins is None else self._plugins.get(name)
        if plugin is None:
            raise self._error(f"unknown {self._what} {name!r}; {closest(name, self.names())}")
        return plugin

    def versions(self, name: str) -> dict[str, str]:
        """The version of the distribution that a plugin comes from, by its name; empty for what is no plugin."""
        registered = name in self._members and not self._is_plugin(self._members[name][0])
        return {} if self._plugins is None or registered else self._plugins.versions(name)

    def listed(self) -> list[Listed]:
        """Every member by name, description and source, in the order of `names`; broken plugins say why.

        Plugins are imported now. One that is also registered, by the module that its entry point names, is listed once.
        """
        registered = [Listed.of(spec, source) for spec, source in self._members.values() if not self._is_plugin(spec)]
        if self._plugins is None:
            return registered
        return [*registered, *self._plugins.listed({member.name: member.source for member in registered})]

    def _is_plugin(self, spec: Spec) -> bool:
        try:
            return self._plugins is not None and self._plugins.get(spec.name) == spec
        except PluginError:
            return False

    def _fault(self, spec: Spec) -> str | None:
        """Why a member cannot be used; None if it can."""
        options = getattr(spec, "options", None)
        if self._options is not None and not (isinstance(options, type) and issubclass(options, self._options)):
            return f"has options that are no class of {self._options.__name__}"
        return None
