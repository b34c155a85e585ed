"""The pipeline: stages, run directory, resume and report; it wires everybody else's parts together."""

from tinynas.pipeline._config import ConfigError, RunConfig, load_config
from tinynas.pipeline._measure_model import measure_model
from tinynas.pipeline._progress import Progress, SilentProgress
from tinynas.pipeline._report import ReportError, write_report
from tinynas.pipeline._run import run_pipeline
from tinynas.pipeline._run_directory import RunDirectory, RunDirectoryError
from tinynas.pipeline._space import NothingFits, rank_space

__all__ = [
    "ConfigError",
    "NothingFits",
    "Progress",
    "ReportError",
    "RunConfig",
    "RunDirectory",
    "RunDirectoryError",
    "SilentProgress",
    "load_config",
    "measure_model",
    "rank_space",
    "run_pipeline",
    "write_report",
]
