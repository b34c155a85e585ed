"""Search methods by name: those of this package, those that a program registers, and plugins of other packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinynas.plugins import Listed
from tinynas.registry import PROGRAM, Registry
from tinynas.search._errors import MethodError
from tinynas.search._method import MethodOptions, MethodTask, SearchMethod
from tinynas.targets import read_options


@dataclass(frozen=True)
class MethodSpec:
    """A search method that can be had by its name.

    Attributes:
        name: as in a configuration file.
        description: for listings, which show the first line.
        build: makes a method from a task and the options.
        options: the class of its options.
    """

    name: str
    description: str
    build: Callable[[MethodTask, Any], SearchMethod]
    options: type[MethodOptions] = MethodOptions


_METHODS = Registry("search method", MethodSpec, MethodError, group="tinynas.methods", options=MethodOptions)


def register_method(spec: MethodSpec, source: str = PROGRAM) -> None:
    """Make a search method known by its name, for as long as the program runs.

    Raises:
        MethodError: the name is taken, or its options are no class of `MethodOptions`.
    """
    _METHODS.register(spec, source)


def method_names() -> list[str]:
    """Every name there is, plugins included; nothing is imported."""
    return _METHODS.names()


def list_methods() -> list[Listed]:
    """Every search method by name, description and source; plugins are imported now, and broken ones say why."""
    return _METHODS.listed()


def method(name: str) -> MethodSpec:
    """The search method of that name; a plugin is imported now.

    Raises:
        MethodError: there is none; names the nearest.
        PluginError: it is a plugin that cannot be used.
    """
    return _METHODS.get(name)


def method_versions(name: str) -> dict[str, str]:
    """The version of the distribution that a search method comes from, by its name; empty for what is no plugin."""
    return _METHODS.versions(name)


def read_method_options(name: str, options: Mapping[str, Any]) -> MethodOptions:
    """The options of a search method, checked before there is a task.

    Raises:
        MethodError: there is no such method or option, or an option cannot have that value.
        UsageError: something that the options name does not exist, or has no such options.
        PluginError: it is a plugin that cannot be used.
    """
    found = read_options(f"search method {name!r}", method(name).options, options, MethodError)
    found.check()
    return found


def build_method(name: str, task: MethodTask, options: Mapping[str, Any] | None = None) -> SearchMethod:
    """A new search method by name, with the options that a configuration file gives it.

    Raises:
        MethodError: there is no such method or option, an option cannot have that value, or the method cannot search
            this space.
        UsageError: something that the options name does not exist, or cannot be used for this task.
        PluginError: it is a plugin that cannot be used.
    """
    found = read_method_options(name, options or {})
    return method(name).build(task, found)
