"""The stages of a run, in order: each reads and writes the run directory only."""

from tinynas.pipeline.run.stages._context import RunContext
from tinynas.pipeline.run.stages._execute import execute
from tinynas.pipeline.run.stages._prepare import load_data

__all__ = ["RunContext", "execute", "load_data"]
