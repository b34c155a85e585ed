"""The engine: from a schedule, its memory plan and its constants to C for the microcontroller."""

from tinynas.engine._constants import MissingConstantsError
from tinynas.engine._export import export
from tinynas.engine._generate import GeneratedModel, generate, kernel_sources
from tinynas.engine._model_info import ModelInfo
from tinynas.engine._prefix import DEFAULT_PREFIX, PrefixError

__all__ = [
    "DEFAULT_PREFIX",
    "GeneratedModel",
    "MissingConstantsError",
    "ModelInfo",
    "PrefixError",
    "export",
    "generate",
    "kernel_sources",
]
