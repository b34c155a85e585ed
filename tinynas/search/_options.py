"""Typed options of strategies: what a configuration file may say about one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrategyOptions(BaseModel):
    """Options of a strategy; each has a default, unknown ones are refused. A strategy without options uses this."""

    model_config = ConfigDict(frozen=True, extra="forbid")
