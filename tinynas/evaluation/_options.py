"""Typed options of evaluators: what a configuration file may say about one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class EvaluatorOptions(BaseModel):
    """Options of an evaluator; unknown ones are refused. An evaluator without options uses this."""

    model_config = ConfigDict(frozen=True, extra="forbid")
