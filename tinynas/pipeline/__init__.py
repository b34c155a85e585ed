"""The pipeline: stages, run directory, resume and report; it wires everybody else's parts together."""

from tinynas.pipeline._config import ConfigError, RunConfig, load_config
from tinynas.pipeline._measure_model import measure_model
from tinynas.pipeline._progress import Progress, SilentProgress
from tinynas.pipeline._run_directory import RunDirectory, RunDirectoryError

__all__ = [
    "ConfigError",
    "Progress",
    "RunConfig",
    "RunDirectory",
    "RunDirectoryError",
    "SilentProgress",
    "load_config",
    "measure_model",
]
