"""One clear line from pydantic's validation errors: which key, what is wrong, which key was probably meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from tinynas.errors import UsageError
from tinynas.registry import closest

_Options = TypeVar("_Options", bound=BaseModel)


def explain_validation_error(model: type[BaseModel], error: ValidationError) -> str:
    """Return one line about the first problem in `error`, which came from validating `model`.

    An unknown key is answered with the nearest known key of the table it stands in.
    """
    problems = error.errors()
    # A misspelt key is reported twice, as unknown and as missing: the unknown one says what to do.
    problem = next((entry for entry in problems if entry["type"] == "extra_forbidden"), problems[0])
    location = problem["loc"]
    where = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return f"unknown key {where!r}; {closest(str(location[-1]), _keys_at(model, location[:-1]))}"
    message = problem["msg"].removeprefix("Value error, ")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}: {message}{more}" if where else f"{message}{more}"


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the table at `location` may have."""
    current: type[BaseModel] | None = model
    for part in location:
        if current is None:
            return []
        if isinstance(part, str) and part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation)
    return list(current.model_fields) if current is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the pydantic model inside `X`, `X | None`, `tuple[X, ...]`, `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def read_options(
    what: str, options: type[_Options], values: Mapping[str, Any], error_class: type[UsageError]
) -> _Options:
    """Options of something that a configuration file names.

    Args:
        what: whose options, for messages: a kind and a name.
        options: their class, which refuses unknown ones.
        values: from the file.
        error_class: of what is raised.

    Raises:
        UsageError: as `error_class`: there is no such option, or it cannot have that value; one line that names the
            nearest one.
    """
    if values and not options.model_fields:
        raise error_class(f"{what} has no options, got {', '.join(map(repr, values))}")
    try:
        return options.model_validate(dict(values))
    except ValidationError as error:
        raise error_class(f"options of {what}: {explain_validation_error(options, error)}") from error
