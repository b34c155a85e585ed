"""The engine: the kernels of a finished network, and from its schedule, plan and constants to C."""

from tinynas.engine._choose_input_by_rows import choose_input_by_rows
from tinynas.engine._choose_kernels import Alternative, ChosenKernels, KernelChoice, choose_kernels
from tinynas.engine._choose_schedule import ChosenSchedule, choose_schedule
from tinynas.engine._executions import Execution
from tinynas.engine._export import export
from tinynas.engine._generate import GeneratedModel, generate, kernel_sources
from tinynas.engine._model_info import ModelInfo
from tinynas.engine._prefix import DEFAULT_PREFIX, PrefixError
from tinynas.kernels import MissingConstantsError

__all__ = [
    "DEFAULT_PREFIX",
    "Alternative",
    "ChosenKernels",
    "ChosenSchedule",
    "Execution",
    "GeneratedModel",
    "KernelChoice",
    "MissingConstantsError",
    "ModelInfo",
    "PrefixError",
    "choose_input_by_rows",
    "choose_kernels",
    "choose_schedule",
    "export",
    "generate",
    "kernel_sources",
]
