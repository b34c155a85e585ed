"""The stages of a run, in order: each reads and writes the run directory only."""

from tinynas.pipeline.run.stages._execute import execute, load_data

__all__ = ["execute", "load_data"]
