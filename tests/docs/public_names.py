"""Every name that the package promises: what public packages list in `__all__`, and the members of those classes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections import defaultdict
from functools import cache
from types import ModuleType
from typing import Any

import tinynas


def is_private(name: str) -> bool:
    """Whether a part of a dotted name begins with an underscore; `__init__` and its like do not count."""
    return any(part.startswith("_") and not part.endswith("__") for part in name.split("."))


@cache
def public_modules() -> dict[str, ModuleType]:
    """Every module whose dotted name has no private part, by that name."""
    found = pkgutil.walk_packages(tinynas.__path__, "tinynas.")
    names = ["tinynas", *(module.name for module in found if not is_private(module.name))]
    return {name: importlib.import_module(name) for name in names}


def exported(module: ModuleType) -> dict[str, Any]:
    """What a module exports: its `__all__`, or without one (`tinynas.errors`) the classes that it defines."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return {name: getattr(module, name) for name in getattr(module, "__all__", own)}


@cache
def public_names() -> dict[str, list[Any]]:
    """The objects that each public name may mean: some packages export the same name."""
    objects: dict[str, list[Any]] = defaultdict(list)
    for module in public_modules().values():
        for name, value in exported(module).items():
            objects[name].append(value)
    return objects


def is_public(name: str) -> bool:
    """Whether `tinynas.x.y` is a public module or what one exports."""
    owner, _, last = name.rpartition(".")
    modules = public_modules()
    return name in modules or (owner in modules and last in exported(modules[owner]))


def members(cls: type) -> set[str]:
    """Public methods, properties, enumerators and fields of a class."""
    fields = {name for base in cls.__mro__ for name in inspect.get_annotations(base)}
    return {name for name in {*dir(cls), *fields} if not is_private(name)}


@cache
def all_members() -> frozenset[str]:
    """The members of all public classes."""
    classes = (value for values in public_names().values() for value in values if inspect.isclass(value))
    return frozenset(name for cls in classes for name in members(cls))
