"""What one network costs on a board, and the most that it may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinynas.lowering import Lowering, PatchPlan, StreamPlan
from tinynas.memory import RegionUsage


@dataclass(frozen=True)
class LatencyLimit:
    """The most that one inference may take, in ticks of the latency model."""

    ticks: float
    unit: str


@dataclass(frozen=True)
class NetworkCost:
    """Predicted costs of one network on the board.

    Attributes:
        macs: multiply-accumulates of the network; rows that patches compute twice count once.
        sram_bytes: what the linker places in SRAM: arena, .data, .bss and buffers, without the stack.
        stack_bytes: upper bound on the stack.
        flash_bytes: as linked.
        latency: ticks of the latency model (instructions or cycles); None where it is not known.
        regions: what each memory region holds and may hold.
        violations: the hard constraints it violates, one line each; where the model cannot tell, it does violate.
        excess: the largest overshoot of a budget relative to the budget; 0 if it fits.
        lowering: how the network is lowered for these costs: within the board's arena where scratch is given up.
        patches: what to lower it with; None for none.
        streams: the parts of it that run row by row.
    """

    macs: int
    sram_bytes: int
    stack_bytes: int
    flash_bytes: int
    latency: float | None
    regions: tuple[RegionUsage, ...]
    violations: tuple[str, ...]
    excess: float
    lowering: Lowering
    patches: PatchPlan | None = None
    streams: tuple[StreamPlan, ...] = ()

    @property
    def shortfall(self) -> str:
        """What it violates, and what it already does without for that; empty if it fits."""
        if not self.violations:
            return ""
        given_up = "" if self.lowering.arena_bytes is None else "even with kernels of less scratch, "
        if self.lowering.unlinked:
            given_up = f"without the kernels {', '.join(sorted(self.lowering.unlinked))}, "
        return given_up + "; ".join(self.violations)

    def as_json(self) -> dict[str, Any]:
        """The figures that an artefact keeps."""
        return {
            "macs": self.macs,
            "sram_bytes": self.sram_bytes,
            "stack_bytes": self.stack_bytes,
            "flash_bytes": self.flash_bytes,
            "latency": self.latency,
        }
