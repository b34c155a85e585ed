"""Toolchains, firmware builds, flashers, the serial link and the virtual board."""

from ._build import Firmware, build_firmware, describe_firmware, linker_script
from ._device import Command, Device, Identity, MemoryReport, RunResult, Status
from ._elf import Image, ImageError, Section, Segment, Symbol, read_image
from ._errors import (
    DeviceError,
    DoesNotFitError,
    FlashError,
    LinkError,
    MachineFault,
    NoFirmwareError,
    ReserveError,
    RunLimitError,
    ToolchainError,
    UnknownTimingError,
    UnknownToolchainError,
)
from ._flasher import Flasher, PyOcdFlasher, load_flasher
from ._frames import Frame, FrameError, decode_frame, encode_frame
from ._toolchain import GccToolchain, Toolchain, ZigToolchain, load_toolchain
from ._transport import PortInfo, SerialPort, Transport, list_ports
from .virtual import (
    BareCore,
    CallReport,
    FunctionCount,
    Grant,
    InferenceCount,
    Right,
    VirtualBoard,
)

__all__ = [
    "BareCore",
    "CallReport",
    "Command",
    "Device",
    "DeviceError",
    "DoesNotFitError",
    "Firmware",
    "FlashError",
    "Flasher",
    "Frame",
    "FrameError",
    "FunctionCount",
    "GccToolchain",
    "Grant",
    "Identity",
    "Image",
    "ImageError",
    "InferenceCount",
    "LinkError",
    "MachineFault",
    "MemoryReport",
    "NoFirmwareError",
    "PortInfo",
    "PyOcdFlasher",
    "ReserveError",
    "Right",
    "RunLimitError",
    "RunResult",
    "Section",
    "Segment",
    "SerialPort",
    "Status",
    "Symbol",
    "Toolchain",
    "ToolchainError",
    "Transport",
    "UnknownTimingError",
    "UnknownToolchainError",
    "VirtualBoard",
    "ZigToolchain",
    "build_firmware",
    "decode_frame",
    "describe_firmware",
    "encode_frame",
    "linker_script",
    "list_ports",
    "load_flasher",
    "load_toolchain",
    "read_image",
]
