"""How the chosen space moves with the schedule: nothing in place, in place, in patches, row by row, and with the
input by rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tinynas.lowering import Lowering
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline.costs._block_schedules import BlockSchedules
from tinynas.pipeline.costs._cost_model import CostModel
from tinynas.spaces import SearchSpace, SpaceRanking, optimize_space
from tinynas.targets import Board, Reserve


@dataclass(frozen=True)
class ScheduleKind:
    """A way of executing all networks of a space.

    Attributes:
        name: for JSON.
        title: for readers.
        in_place: whether operators may work in place.
        patches: whether the first blocks run in patches where a network does not fit otherwise.
        streams: whether parts run row by row where a network does not fit otherwise.
        stream_input: whether the input comes row by row.
    """

    name: str
    title: str
    in_place: bool
    patches: bool = False
    streams: bool = False
    stream_input: bool = False

    def costs(self, board: Board, memory: NativeMemoryModel, reserve: Reserve) -> CostModel:
        """What networks cost under this kind of schedule; memory decides, latency is not looked at."""
        schedules = BlockSchedules(Lowering.for_core(board.core, in_place=self.in_place))
        return CostModel(
            board,
            memory,
            reserve,
            schedules=schedules,
            patches=self.patches,
            streams=self.streams,
            stream_input=self.stream_input,
        )


SCHEDULE_KINDS = (
    ScheduleKind("plain", "nothing in place", in_place=False),
    ScheduleKind("in-place", "in place", in_place=True),
    ScheduleKind("patches", "in place, first blocks in patches", in_place=True, patches=True),
    ScheduleKind("streamed", "in place, row by row", in_place=True, streams=True),
    ScheduleKind("pushed", "row by row, the input too", in_place=True, streams=True, stream_input=True),
)


@dataclass(frozen=True)
class Sampling:
    """What is drawn from the space, the same under every schedule."""

    configurations: Sequence[tuple[float, int]]
    samples: int
    seed: int
    input_channels: int
    classes: int

    def rank(
        self, space: SearchSpace, costs: CostModel, progress: Callable[[int, int], None] | None = None
    ) -> SpaceRanking:
        """The ranking of the configurations under `costs`."""
        return optimize_space(
            space,
            self.configurations,
            self.samples,
            costs.fits,
            self.seed,
            progress=progress,
            input_channels=self.input_channels,
            classes=self.classes,
        )


def compare_schedules(
    space: SearchSpace,
    sampling: Sampling,
    board: Board,
    memory: NativeMemoryModel,
    reserve: Reserve,
    progress: Callable[[int], None] | None = None,
) -> list[dict[str, Any]]:
    """Rank the configurations under each kind of schedule, on the same networks.

    MACs are those of the network: what patches compute twice makes it no better, and does not count.

    Args:
        space: the search space.
        sampling: configurations and samples.
        board: the board.
        memory: what our engine takes of it.
        reserve: what the user keeps for herself.
        progress: called with the configurations ranked so far, `len(SCHEDULE_KINDS)` times as many in the end.

    Returns:
        One entry per kind, as `tinynas space --compare-schedules --json` prints them: `name`, `title`, the `chosen`
        width and resolution, and of that configuration `share_fits`, `mean_macs`, `p80_macs`, `mean_arena_bytes` and
        `score`. All but the first two are None where no sample fits.
    """
    rankings: list[SpaceRanking] = []

    def advance(done: int, total: int) -> None:
        if progress is not None:
            progress(len(rankings) * total + done)

    for kind in SCHEDULE_KINDS:
        rankings.append(sampling.rank(space, kind.costs(board, memory, reserve), advance))
    return [_entry(kind, ranking) for kind, ranking in zip(SCHEDULE_KINDS, rankings, strict=True)]


def _entry(kind: ScheduleKind, ranking: SpaceRanking) -> dict[str, Any]:
    best = ranking.chosen
    return {
        "name": kind.name,
        "title": kind.title,
        "chosen": None if best is None else {"width": best.width, "resolution": best.resolution},
        "share_fits": None if best is None else best.share_fits,
        "mean_macs": None if best is None else best.mean_macs,
        "p80_macs": None if best is None else best.p80_macs,
        "mean_arena_bytes": None if best is None else best.mean_arena_bytes,
        "score": None if best is None else best.score,
    }
