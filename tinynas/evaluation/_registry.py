"""Evaluators by name: those of this package, those that a program registers, and plugins of other packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinynas.evaluation._errors import EvaluatorError
from tinynas.evaluation._evaluator import Evaluator
from tinynas.evaluation._options import EvaluatorOptions
from tinynas.evaluation._task import EvaluationTask
from tinynas.plugins import Listed
from tinynas.registry import PROGRAM, Registry
from tinynas.targets import read_options


@dataclass(frozen=True)
class EvaluatorSpec:
    """An evaluator that can be had by its name.

    Attributes:
        name: as in a configuration file.
        description: for listings, which show the first line.
        build: makes an evaluator from a task and the options.
        options: the class of its options.
        accuracy: whether its values are accuracies in [0, 1]; of a `predictor`, those of what it predicts.
        needs_supernet: whether it looks at trained shared weights, which are trained where somebody does.
    """

    name: str
    description: str
    build: Callable[[EvaluationTask, Any], Evaluator]
    options: type[EvaluatorOptions] = EvaluatorOptions
    accuracy: bool = True
    needs_supernet: bool = False


_EVALUATORS = Registry("evaluator", EvaluatorSpec, EvaluatorError, group="tinynas.evaluators", options=EvaluatorOptions)


def register_evaluator(spec: EvaluatorSpec, source: str = PROGRAM) -> None:
    """Make an evaluator known by its name, for as long as the program runs.

    Raises:
        EvaluatorError: the name is taken, or its options are no class of `EvaluatorOptions`.
    """
    _EVALUATORS.register(spec, source)


def evaluator_names() -> list[str]:
    """Every name there is, plugins included; nothing is imported."""
    return _EVALUATORS.names()


def list_evaluators() -> list[Listed]:
    """Every evaluator by name, description and source; plugins are imported now, and broken ones say why."""
    return _EVALUATORS.listed()


def evaluator(name: str) -> EvaluatorSpec:
    """The evaluator of that name; a plugin is imported now.

    Raises:
        EvaluatorError: there is none; names the nearest.
        PluginError: it is a plugin that cannot be used.
    """
    return _EVALUATORS.get(name)


def is_accuracy(name: str, options: Mapping[str, Any]) -> bool:
    """Whether the values of an evaluator with these options are accuracies in [0, 1].

    Raises:
        EvaluatorError: there is no such evaluator.
        PluginError: it is a plugin that cannot be used.
    """
    over = _over(name, options)
    return evaluator(name).accuracy if over is None else is_accuracy(over, options.get("over_options", {}))


def evaluator_versions(name: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The versions of the distributions that an evaluator, and those that it asks, come from, by their names.

    Those that it asks are what its options `over` and `features` name. What is no plugin is left out.

    Raises:
        EvaluatorError: there is no such evaluator.
        PluginError: it is a plugin that cannot be used.
    """
    versions = _EVALUATORS.versions(name)
    if (over := _over(name, options)) is not None:
        versions |= evaluator_versions(over, options.get("over_options", {}))
    for feature in options.get("features", ()):
        versions |= _EVALUATORS.versions(feature)
    return versions


def needs_supernet(name: str, options: Mapping[str, Any]) -> bool:
    """Whether an evaluator with these options, or one that it asks, looks at trained shared weights.

    Raises:
        EvaluatorError: there is no such evaluator.
        PluginError: it is a plugin that cannot be used.
    """
    if (over := _over(name, options)) is not None and needs_supernet(over, options.get("over_options", {})):
        return True
    return evaluator(name).needs_supernet or any(needs_supernet(each, {}) for each in options.get("features", ()))


def _over(name: str, options: Mapping[str, Any]) -> str | None:
    """The evaluator that one with these options predicts, if it does."""
    field = evaluator(name).options.model_fields.get("over")
    over = options.get("over", getattr(field, "default", None))
    return over if isinstance(over, str) else None


def check_evaluator_options(name: str, options: Mapping[str, Any]) -> None:
    """Check the options of an evaluator before there is a task.

    Raises:
        EvaluatorError: there is no such evaluator or option, or an option cannot have that value.
        PluginError: it is a plugin that cannot be used.
    """
    read_options(f"evaluator {name!r}", evaluator(name).options, options, EvaluatorError).check()


def build_evaluator(name: str, task: EvaluationTask, options: Mapping[str, Any] | None = None) -> Evaluator:
    """A new evaluator by name, with the options that a configuration file gives it.

    Raises:
        EvaluatorError: there is no such evaluator or option, an option cannot have that value, or the task lacks what
            the evaluator needs (trained shared weights).
        PluginError: it is a plugin that cannot be used.
    """
    spec = evaluator(name)
    return spec.build(task, read_options(f"evaluator {name!r}", spec.options, options or {}, EvaluatorError))
