"""The plan of a run as a file: numbers of steps, and for which configuration."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from tinynas.errors import UsageError
from tinynas.pipeline.run._config_checks import check_sections
from tinynas.pipeline.run._steps import Steps, steps_of, with_steps

if TYPE_CHECKING:
    from tinynas.pipeline.run._config import RunConfig

MOST_STEPS = 10**12


class _Plan(BaseModel):
    """What is read of a plan; the rest says how it came about."""

    steps: dict[str, Annotated[int, Field(strict=True, ge=1, le=MOST_STEPS)]]
    configuration: str


def configuration_digest(config: RunConfig) -> str:
    """SHA-256 of what a plan is for: the configuration without budget, seed and the places of its files."""
    document = config.model_dump(mode="json", exclude={"budget": True, "seed": True, "data": {"directory"}})
    return hashlib.sha256(json.dumps(_without_folders(document), sort_keys=True).encode()).hexdigest()


def _without_folders(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_folders(entry) for key, entry in value.items()}
        case list():
            return [_without_folders(entry) for entry in value]
        case str() if Path(value).is_absolute():
            return Path(value).name
    return value


def read_plan(path: Path, config: RunConfig) -> Steps:
    """The numbers of steps in a plan that a run of this configuration wrote.

    Raises:
        UsageError: it cannot be read, is no plan, or one of another configuration.
        ConfigError: the configuration cannot have these numbers.
    """
    try:
        plan = _Plan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read plan {path}: {error.strerror}") from error
    except ValidationError as error:
        raise UsageError(f"{path} {_fault(error)}") from error
    if plan.configuration != configuration_digest(config):
        raise UsageError(
            f"{path} is a plan of another configuration: give one of this, in which only seed and [budget] may differ, "
            "or leave --plan out"
        )
    if plan.steps.keys() != (wanted := steps_of(config)).keys():
        raise UsageError(
            f"{path} plans {', '.join(sorted(plan.steps)) or 'nothing'}, and this run trains "
            f"{', '.join(sorted(wanted))}: give the plan as a run wrote it"
        )
    check_sections(with_steps(config, plan.steps), str(path))
    return plan.steps


def _fault(error: ValidationError) -> str:
    problem = error.errors()[0]
    if len(problem["loc"]) == 2:  # one of the numbers
        return (
            f"has steps.{problem['loc'][1]} = {json.dumps(problem['input'])[:40]}: a number of steps is a whole number "
            f"from 1 to {MOST_STEPS:,}"
        )
    return "is no plan: give the plan.json of a run with [budget] minutes or --plan"
