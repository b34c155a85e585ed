"""The pipeline: runs, what commands do without one, costs, deployment, report; it wires all other parts together."""

from tinynas.pipeline._progress import Progress, SilentProgress
from tinynas.pipeline.commands import (
    ExportError,
    InspectError,
    MeasurementInputError,
    NothingFits,
    Part,
    UnknownFamilyError,
    calibrate_board,
    export_model,
    export_winner,
    fetch_data,
    inspect_model,
    measure_model,
    parts_of,
    rank_space,
)
from tinynas.pipeline.costs import CostModel, NetworkCost, choose_for_board
from tinynas.pipeline.deployment import Deployment, NetworkMeasurement, deploy, measure, random_inputs
from tinynas.pipeline.report import ReportError, write_report
from tinynas.pipeline.run import ConfigError, PickError, RunConfig, load_config
from tinynas.pipeline.run._export_picked import export_picked
from tinynas.pipeline.run._run import run_pipeline
from tinynas.pipeline.run.storage import RunDirectory, RunDirectoryError, StorageError, write_atomically

__all__ = [
    "ConfigError",
    "CostModel",
    "Deployment",
    "ExportError",
    "InspectError",
    "MeasurementInputError",
    "NetworkCost",
    "NetworkMeasurement",
    "NothingFits",
    "Part",
    "PickError",
    "Progress",
    "ReportError",
    "RunConfig",
    "RunDirectory",
    "RunDirectoryError",
    "SilentProgress",
    "StorageError",
    "UnknownFamilyError",
    "calibrate_board",
    "choose_for_board",
    "deploy",
    "export_model",
    "export_picked",
    "export_winner",
    "fetch_data",
    "inspect_model",
    "load_config",
    "measure",
    "measure_model",
    "parts_of",
    "random_inputs",
    "rank_space",
    "run_pipeline",
    "write_atomically",
    "write_report",
]
