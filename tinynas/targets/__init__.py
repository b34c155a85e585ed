"""Cores, memory regions and boards as validated data."""

from ._board import Board, CyclesPerInstruction, Flasher, Layout, Region, Reserve, Serial
from ._compiler_flags import RUNTIME_FLAGS, TOOLCHAIN_FLAGS
from ._cores import CORES, Compilers, Core, CycleCounter
from ._loading import BoardFileError, UnknownBoardError, board_names, load_board, reference_boards
from ._resources import resource_path
from ._validation import explain_validation_error, read_options

__all__ = [
    "CORES",
    "RUNTIME_FLAGS",
    "TOOLCHAIN_FLAGS",
    "Board",
    "BoardFileError",
    "Compilers",
    "Core",
    "CycleCounter",
    "CyclesPerInstruction",
    "Flasher",
    "Layout",
    "Region",
    "Reserve",
    "Serial",
    "UnknownBoardError",
    "board_names",
    "explain_validation_error",
    "load_board",
    "read_options",
    "reference_boards",
    "resource_path",
]
