"""Options that several commands share, so that they are called the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Toolchain(StrEnum):
    """Cross compilers."""

    ZIG = "zig"
    GCC = "gcc"


class Kernels(StrEnum):
    """Kernel libraries of TFLM."""

    REFERENCE = "reference"
    CMSIS_NN = "cmsis-nn"


JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout; messages go to stderr.")]
BoardOption = Annotated[str, typer.Option("--board", "-b", help="A board's name (`tinynas boards`) or a .toml file.")]
ToolchainOption = Annotated[Toolchain, typer.Option(help="Cross compiler that builds the firmware.")]
VirtualOption = Annotated[bool, typer.Option("--virtual", help="Use the virtual board: the same firmware, emulated.")]
PortOption = Annotated[str | None, typer.Option(help="Serial port or pyserial URL of a real board.")]
ProbeOption = Annotated[
    str | None,
    typer.Option("--probe", metavar="ID", help="With --port, of several debug probes: which one flashes the board."),
]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL.tflite", help="An int8 TensorFlow Lite model.")]
