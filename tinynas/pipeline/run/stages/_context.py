"""What every stage of a run is given."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.graph import DType, Graph
from tinynas.latency import Quantity
from tinynas.lowering import Lowering
from tinynas.pipeline._progress import Progress
from tinynas.pipeline.run import RunConfig, quantity_of_run
from tinynas.pipeline.run.storage import RunDirectory
from tinynas.spaces import Architecture, Genotype, SearchSpace, build_graph
from tinynas.targets import Board, Reserve
from tinynas.training import Dataset


@dataclass(frozen=True)
class RunContext:
    """A run: its settings, where it keeps its results, and who watches.

    Attributes:
        processes: how many processes may compute; no result depends on it.
        data: the data set at its own resolution.
    """

    config: RunConfig
    board: Board
    space: SearchSpace
    data: Dataset
    run: RunDirectory
    progress: Progress
    processes: int

    @property
    def input_channels(self) -> int:
        return self.data.image_shape[2]

    @property
    def classes(self) -> int:
        return len(self.data.classes)

    @property
    def reserve(self) -> Reserve:
        """Memory that the application keeps for itself."""
        reserve = self.config.reserve
        return Reserve(sram_bytes=reserve.sram_bytes, flash_bytes=reserve.flash_bytes)

    @property
    def quantity(self) -> Quantity:
        """What decides: networks are chosen, searched for and limited by it."""
        return quantity_of_run(self.config, self.board)

    @property
    def lowering(self) -> Lowering:
        """How networks become schedules for the board."""
        return Lowering.for_core(self.board.core)

    def configurations(self) -> list[tuple[float, int]]:
        """The (width multiplier, resolution) pairs that the space optimizer compares."""
        settings = self.config.space
        widths = settings.widths if settings.widths is not None else self.space.width_multipliers
        resolutions = settings.resolutions if settings.resolutions is not None else self.space.resolutions
        # Enlarging an image adds no information: resolutions above the data set's are left out.
        side = max(self.data.image_shape[:2])
        usable = [resolution for resolution in resolutions if resolution <= side] or [side]
        return [(width, resolution) for width in widths for resolution in usable]


@dataclass(frozen=True)
class ChosenSpace:
    """The search space at the width multiplier and resolution that were chosen."""

    space: SearchSpace
    width: float
    resolution: int
    input_channels: int
    classes: int

    def architecture(self, genotype: Genotype) -> Architecture:
        return self.space.decode(genotype, self.width, self.resolution, self.input_channels, self.classes)

    def graph(self, genotype: Genotype, dtype: DType = DType.FLOAT32) -> Graph:
        return build_graph(self.architecture(genotype), dtype)
