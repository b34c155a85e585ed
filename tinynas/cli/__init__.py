"""The command line: commands, progress, tables and `--json`. What is computed lives in `tinynas.pipeline`."""

from tinynas.cli._main import app, main

__all__ = ["app", "main"]
