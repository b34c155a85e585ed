"""What a command of `tinynas` does without a run: one file each."""

from tinynas.pipeline.commands._calibrate_board import calibrate_board
from tinynas.pipeline.commands._export_winner import (
    ExportError,
    check_target,
    export_model,
    export_network,
    export_winner,
    finished_result,
)
from tinynas.pipeline.commands._fetch_data import fetch_data
from tinynas.pipeline.commands._inspect_model import InspectError, inspect_model
from tinynas.pipeline.commands._list_parts import Part, UnknownFamilyError, parts_of
from tinynas.pipeline.commands._measure_model import MeasurementInputError, measure_model, measurement_json
from tinynas.pipeline.commands._rank_space import NothingFits, rank_space, ranking_json

__all__ = [
    "ExportError",
    "InspectError",
    "MeasurementInputError",
    "NothingFits",
    "Part",
    "UnknownFamilyError",
    "calibrate_board",
    "check_target",
    "export_model",
    "export_network",
    "export_winner",
    "fetch_data",
    "finished_result",
    "inspect_model",
    "measure_model",
    "measurement_json",
    "parts_of",
    "rank_space",
    "ranking_json",
]
