"""What a network takes of a board, and whether it fits: the values that memory models return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from tinynas.lowering import Schedule
from tinynas.targets import Reserve


@dataclass(frozen=True)
class RegionUsage:
    """A memory region: bytes from its first to the last one used, and what it holds less the user's reserve."""

    name: str
    kind: Literal["sram", "flash"]
    used_bytes: int
    available_bytes: int


@dataclass(frozen=True)
class SramUsage:
    """SRAM, in bytes.

    Attributes:
        arena_bytes: Activations and scratch, as planned.
        arena_lower_bound_bytes: No plan of these activations takes less.
        persistent_bytes: What an interpreter keeps beside the arena's head; zero for generated code, whose
            parameters lie in flash.
        runtime_bytes: .data, .bss and the serial buffer, with the padding between sections.
        stack_bytes: The deepest the stack gets.
        total_bytes: The sum of all.
        regions: The SRAM regions; a region that holds the stack counts all that is set aside for it.
    """

    arena_bytes: int
    arena_lower_bound_bytes: int
    persistent_bytes: int
    runtime_bytes: int
    stack_bytes: int
    total_bytes: int
    regions: tuple[RegionUsage, ...]

    @property
    def static_bytes(self) -> int:
        """What the linker places: everything but the stack."""
        return self.total_bytes - self.stack_bytes


@dataclass(frozen=True)
class FlashUsage:
    """Flash, in bytes: weights and parameters; everything else in the image; their sum, as linked."""

    weights_bytes: int
    code_bytes: int
    total_bytes: int
    regions: tuple[RegionUsage, ...]


@dataclass(frozen=True)
class Verdict:
    """Whether a network fits: None where something is unknown. `reasons` says why not, one line each."""

    fits: bool | None
    reasons: tuple[str, ...]
    regions: tuple[RegionUsage, ...]


class MemoryModel(Protocol):
    """What one runtime on one board takes for a schedule."""

    def sram(self, schedule: Schedule, reserve: Reserve | None = None) -> SramUsage:
        """SRAM of the network; regions are shortened by `reserve`."""
        ...

    def flash(self, schedule: Schedule, reserve: Reserve | None = None) -> FlashUsage:
        """Flash of the network; regions are shortened by `reserve`."""
        ...

    def fits(self, schedule: Schedule, reserve: Reserve | None = None) -> Verdict:
        """Compare with the board's regions, less what the user reserves."""
        ...
