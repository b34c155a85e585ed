"""Typed options of strategies: what a configuration file may say about one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tinynas.search._errors import StrategyError
from tinynas.targets import explain_validation_error


class StrategyOptions(BaseModel):
    """Options of a strategy; each has a default, unknown ones are refused. A strategy without options uses this."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_Options = TypeVar("_Options", bound=StrategyOptions)


def read_options(strategy: str, options_class: type[_Options], values: Mapping[str, Any]) -> _Options:
    """The options of a strategy from the values of a configuration file.

    Raises:
        StrategyError: there is no such option, or it cannot have that value; one line that names the nearest one.
    """
    if values and not options_class.model_fields:
        raise StrategyError(f"strategy {strategy!r} has no options, got {', '.join(map(repr, values))}")
    try:
        return options_class.model_validate(dict(values))
    except ValidationError as error:
        raise StrategyError(
            f"options of strategy {strategy!r}: {explain_validation_error(options_class, error)}"
        ) from error
