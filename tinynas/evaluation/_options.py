"""Typed options of evaluators: what a configuration file may say about one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class EvaluatorOptions(BaseModel):
    """Options of an evaluator; unknown ones are refused. An evaluator without options uses this."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def check(self) -> None:
        """Check what the types of the options cannot say, before there is a task.

        Raises:
            EvaluatorError: an evaluator that the options name does not exist, or has no such options.
        """
