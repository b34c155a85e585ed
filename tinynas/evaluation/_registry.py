"""Evaluators by name: those of this package, those that a program registers, and plugins of other packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinynas.evaluation._errors import EvaluatorError
from tinynas.evaluation._evaluator import Evaluator
from tinynas.evaluation._options import EvaluatorOptions
from tinynas.evaluation._task import EvaluationTask
from tinynas.plugins import Listed, Plugins
from tinynas.targets import closest, read_options


@dataclass(frozen=True)
class EvaluatorSpec:
    """An evaluator that can be had by its name.

    Attributes:
        name: as in a configuration file.
        description: one line for listings.
        build: makes an evaluator from a task and the options.
        options: the class of its options.
        accuracy: whether its values are accuracies in [0, 1]; of a `predictor`, those of what it predicts.
        source: who has it; of a plugin, listings say the distribution that it comes from.
    """

    name: str
    description: str
    build: Callable[[EvaluationTask, Any], Evaluator]
    options: type[EvaluatorOptions] = EvaluatorOptions
    source: str = "this program"
    accuracy: bool = True


_PLUGINS = Plugins("tinynas.evaluators", EvaluatorSpec)
_registered: dict[str, EvaluatorSpec] = {}


def register_evaluator(spec: EvaluatorSpec) -> None:
    """Make an evaluator known by its name, for as long as the program runs.

    Raises:
        EvaluatorError: the name is taken.
    """
    if spec.name in _registered:
        raise EvaluatorError(f"there is an evaluator {spec.name!r} already; register it under another name")
    _registered[spec.name] = spec


def evaluator_names() -> list[str]:
    """Every name there is, plugins included; nothing is imported."""
    return [*_registered, *(name for name in _PLUGINS.names() if name not in _registered)]


def list_evaluators() -> list[Listed]:
    """Every evaluator by name, description and source; plugins are imported now, and broken ones say why."""
    known = [Listed(spec.name, spec.description, spec.source) for spec in _registered.values()]
    return [*known, *_PLUGINS.listed({spec.name: spec.source for spec in known}, lambda spec: spec.description)]


def evaluator(name: str) -> EvaluatorSpec:
    """The evaluator of that name; a plugin is imported now.

    Raises:
        EvaluatorError: there is none; names the nearest.
        PluginError: it is a plugin that cannot be used.
    """
    spec = _registered.get(name) or _PLUGINS.get(name)
    if spec is None:
        raise EvaluatorError(f"unknown evaluator {name!r}; {closest(name, evaluator_names())}")
    return spec


def is_accuracy(name: str, options: Mapping[str, Any]) -> bool:
    """Whether the values of an evaluator with these options are accuracies in [0, 1].

    Raises:
        EvaluatorError: there is no such evaluator.
        PluginError: it is a plugin that cannot be used.
    """
    spec = evaluator(name)
    over = dict(options).get("over", getattr(spec.options.model_fields.get("over"), "default", None))
    if isinstance(over, str):
        return is_accuracy(over, options.get("over_options", {}))
    return spec.accuracy


def check_evaluator_options(name: str, options: Mapping[str, Any]) -> None:
    """Check the options of an evaluator before there is a task.

    Raises:
        EvaluatorError: there is no such evaluator or option, or an option cannot have that value.
        PluginError: it is a plugin that cannot be used.
    """
    read_options(f"evaluator {name!r}", evaluator(name).options, options, EvaluatorError)


def build_evaluator(name: str, task: EvaluationTask, options: Mapping[str, Any] | None = None) -> Evaluator:
    """A new evaluator by name, with the options that a configuration file gives it.

    Raises:
        EvaluatorError: there is no such evaluator or option, an option cannot have that value, or the task lacks what
            the evaluator needs (trained shared weights).
        PluginError: it is a plugin that cannot be used.
    """
    spec = evaluator(name)
    return spec.build(task, read_options(f"evaluator {name!r}", spec.options, options or {}, EvaluatorError))
