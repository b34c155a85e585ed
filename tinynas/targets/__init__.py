"""Cores, memory regions and boards as validated data."""

from ._board import Board, CyclesPerInstruction, Flasher, Layout, Region, Reserve, Serial
from ._compiler_flags import RUNTIME_FLAGS, TOOLCHAIN_FLAGS
from ._cores import CORES, Compilers, Core, CycleCounter
from ._loading import BoardFileError, UnknownBoardError, board_names, load_board, reference_boards
from ._resources import resource_path
from ._timing import Cost, Cycles, Division, Pipeline, Timing, read_timing
from ._validation import explain_validation_error, read_options

__all__ = [
    "CORES",
    "RUNTIME_FLAGS",
    "TOOLCHAIN_FLAGS",
    "Board",
    "BoardFileError",
    "Compilers",
    "Core",
    "Cost",
    "CycleCounter",
    "Cycles",
    "CyclesPerInstruction",
    "Division",
    "Flasher",
    "Layout",
    "Pipeline",
    "Region",
    "Reserve",
    "Serial",
    "Timing",
    "UnknownBoardError",
    "board_names",
    "explain_validation_error",
    "load_board",
    "read_options",
    "read_timing",
    "reference_boards",
    "resource_path",
]
