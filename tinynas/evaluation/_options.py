"""Typed options of evaluators: what a configuration file may say about one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tinynas.evaluation._errors import EvaluatorError
from tinynas.targets import explain_validation_error


class EvaluatorOptions(BaseModel):
    """Options of an evaluator; unknown ones are refused. An evaluator without options uses this."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_Options = TypeVar("_Options", bound=EvaluatorOptions)


def read_options(evaluator: str, options_class: type[_Options], values: Mapping[str, Any]) -> _Options:
    """The options of an evaluator from the values of a configuration file.

    Raises:
        EvaluatorError: there is no such option, or it cannot have that value; one line that names the nearest one.
    """
    if values and not options_class.model_fields:
        raise EvaluatorError(f"evaluator {evaluator!r} has no options, got {', '.join(map(repr, values))}")
    try:
        return options_class.model_validate(dict(values))
    except ValidationError as error:
        raise EvaluatorError(
            f"options of evaluator {evaluator!r}: {explain_validation_error(options_class, error)}"
        ) from error
