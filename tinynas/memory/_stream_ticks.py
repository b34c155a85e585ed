"""Ticks of what the planner puts together: cells as a whole and row by row, and what segments take beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinynas.kernels.streaming import ROUND_BYTES, SEGMENTS, STREAM, STREAM_ROWS
from tinynas.lowering import Step, copies, output_loops
from tinynas.memory._stream_cells import Cell, KernelTicks, StreamedCell


def call_ticks(variant: str, features: Mapping[str, float]) -> float:
    """Ticks where nothing is known of a core: calls of kernels, the fewer the better."""
    return features.get("kernel_calls", 0.0) if variant in SEGMENTS else 0.0


class UnknownTicksError(Exception):
    """What a kernel takes is not known, or what one of its loops does."""


class SummedTicks:
    """Sums of ticks, all of them known.

    Args:
        of: What kernels take.
    """

    def __init__(self, of: KernelTicks) -> None:
        self._of = of

    def kernel(self, variant: str, features: Mapping[str, float]) -> float:
        """Of a kernel.

        Raises:
            UnknownTicksError: They are not known.
        """
        ticks = self._of(variant, features)
        if ticks is None:
            raise UnknownTicksError
        return ticks

    def plain(self, cell: Cell) -> float:
        """Of a cell as a whole."""
        return self.steps(cell.plain)

    def steps(self, steps: Sequence[Step]) -> float:
        """Of kernel calls."""
        return sum(self.kernel(step.variant, step.features) for step in steps)

    def streamed(self, cell: StreamedCell, segment: str = STREAM.name) -> float:
        """Of a cell row by row: its kernels, and what it adds to the loops around them."""
        kernels = sum(self.kernel(variant, features) for variant, features in cell.kernels)
        return kernels + self.kernel(segment, {"calls": 0.0, **cell.loops})

    def loops(self, loops: Mapping[str, float], segment: str = STREAM.name) -> float:
        """Of rows and windows."""
        return self.kernel(segment, {"calls": 0.0, **loops})

    def segment(self, output_bytes: int) -> float:
        """What a segment takes once: its output is moved."""
        return self.kernel(STREAM.name, {"calls": 1.0, "layers": 1.0, **output_loops(output_bytes)})

    def pushed(self, rows: int, row_bytes: int) -> float:
        """What a segment takes once whose input of so many rows comes row by row."""
        loops = {"calls": 1.0, "layers": 1.0, "input_rows": rows}
        return self.kernel(STREAM_ROWS.name, loops | copies(rows, row_bytes, ROUND_BYTES).loops)
