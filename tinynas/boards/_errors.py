"""What can go wrong between a model and a board."""

from __future__ import annotations

from tinynas.errors import AnswerIsNo, ExternalError, UsageError


class ToolchainError(ExternalError):
    """A compiler or linker is missing or failed."""


class UnknownToolchainError(UsageError):
    """There is no toolchain of that name."""


class NoFirmwareError(UsageError):
    """Firmware was asked for a board that has none."""


class ReserveError(UsageError):
    """More memory is reserved for the application than the board has."""


class DoesNotFitError(AnswerIsNo):
    """The linker found that a memory region is too small. Carries region name and missing bytes."""

    def __init__(self, board: str, region: str, size_bytes: int, overflow_bytes: int) -> None:
        super().__init__(
            f"the firmware does not fit {board}: region {region!r} holds {size_bytes} bytes and "
            f"{overflow_bytes} more are needed; choose a smaller model or reserve less"
        )
        self.region = region
        self.size_bytes = size_bytes
        self.overflow_bytes = overflow_bytes


class LinkError(ExternalError):
    """The serial link failed: no port, no answer, or answers that make no sense."""


class DeviceError(ExternalError):
    """The device answered with an error code. Carries the code."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class FlashError(ExternalError):
    """Firmware could not be written to the board."""


class MachineFault(ExternalError):
    """The virtual board stopped where silicon would trap or the memory map ends.

    Attributes:
        reason: what the firmware did.
        pc: address of the instruction (0 when it is not known).
        address: the memory address concerned, or None.
        symbol: nearest function below `pc`, with offset.
    """

    def __init__(self, reason: str, pc: int, symbol: str, address: int | None = None) -> None:
        where = f" at address 0x{address:08x}" if address is not None else ""
        super().__init__(f"virtual board: {reason}{where} by the instruction at 0x{pc:08x} in {symbol}")
        self.reason = reason
        self.pc = pc
        self.symbol = symbol
        self.address = address


class UnknownTimingError(ExternalError):
    """The virtual board met an instruction whose timing no manual gives, or an encoding that is not known."""


class RunLimitError(ExternalError):
    """The firmware on the virtual board ran for longer than allowed without coming to rest."""
