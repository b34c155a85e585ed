"""Compare the configurations of a search space on a board, for `tinynas space` and for a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinynas.errors import AnswerIsNo
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline._progress import Progress, SilentProgress
from tinynas.pipeline.costs import SCHEDULE_KINDS, CostModel, Sampling, compare_schedules, too_small_a_space
from tinynas.pipeline.report import flops_distributions
from tinynas.spaces import SearchSpace, SpaceRanking, load_space
from tinynas.targets import Board, Reserve, load_board


class NothingFits(AnswerIsNo):
    """No sampled network of any configuration fits. The message has the nearest miss."""


def rank_space(
    board_name: str,
    *,
    space: str = "mobile",
    samples: int = 1000,
    seed: int = 0,
    input_channels: int = 3,
    classes: int = 1000,
    sram_bytes: int | None = None,
    flash_bytes: int | None = None,
    toolchain: str = "zig",
    compare: bool = False,
    streams: bool = True,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], str]:
    """Rank the width multipliers and resolutions of a space for a board.

    Args:
        board_name: a board's name or file.
        space: a search space by name, or a file.
        samples: random networks per configuration.
        seed: the same seed gives the same ranking.
        input_channels: channels of the input image.
        classes: number of classes.
        sram_bytes: size of the region of the arena, in place of the board's.
        flash_bytes: size of the region of the code, in place of the board's.
        toolchain: whose code sizes count.
        compare: rank under the other schedules of the engine, too; a minute for MCUNet's grid.
        streams: whether parts of a network run row by row where it does not fit otherwise, as in `tinynas run`.
        progress: who watches.

    Returns:
        The object that `--json` prints: with `schedules` if they are compared, and `too_small`, a line that says so
        where the largest network of the space takes little of the board, else null; and the plot of the FLOPs
        distributions as SVG.

    Raises:
        AnswerIsNo: nothing fits; the message has the nearest miss.
        MissingMemoryModelError: there is no memory model for the board and toolchain.
    """
    board = _resized(load_board(board_name), sram_bytes, flash_bytes)
    search_space = load_space(space)
    memory = NativeMemoryModel.for_board(board, toolchain)
    costs = CostModel(board, memory, Reserve(), streams=streams)
    configurations = search_space.configurations()
    sampling = Sampling(configurations, samples, seed, input_channels, classes)
    watch = progress or SilentProgress()
    watch.begin("space", len(configurations))
    ranking = sampling.rank(search_space, costs, lambda done, _total: watch.advance(done))
    if ranking.chosen is None:
        message = _nearest_miss(ranking, search_space, costs, input_channels, classes)
        schedules = compare_schedules(search_space, sampling, board, memory, Reserve()) if compare else []
        raise NothingFits(message + _that_fit(schedules))
    watch.end(f"{len(configurations)} configurations of {samples} networks")
    document = {
        **ranking_json(ranking),
        "too_small": too_small_a_space(search_space, configurations, costs, input_channels, classes),
    }
    if compare:
        watch.begin("schedules", len(SCHEDULE_KINDS) * len(configurations))
        document["schedules"] = compare_schedules(search_space, sampling, board, memory, Reserve(), watch.advance)
        watch.end(f"{len(configurations)} configurations under {len(SCHEDULE_KINDS)} kinds of schedule")
    figure = space_figure(ranking)
    for entry in document["configurations"]:
        del entry["macs"]
    return document, figure


def _nearest_miss(
    ranking: SpaceRanking, space: SearchSpace, costs: CostModel, input_channels: int, classes: int
) -> str:
    message = f"no network sampled from space {space.name!r} fits {costs.board.name}"
    nearest = ranking.nearest_miss
    if nearest is None:
        return message
    architecture = space.decode(nearest.genotype, nearest.width, nearest.resolution, input_channels, classes)
    return (
        f"{message}; the nearest, at width {nearest.width:g} and resolution {nearest.resolution}: "
        f"{costs.of(architecture).shortfall}"
    )


def _that_fit(schedules: Sequence[Mapping[str, Any]]) -> str:
    """With what other schedules networks fit, as the end of a message; empty where there are none."""
    found = [
        f"{entry['title']} (w{entry['chosen']['width']:g}-r{entry['chosen']['resolution']})"
        for entry in schedules
        if entry["chosen"] is not None
    ]
    return f"; networks fit with these schedules: {', '.join(found)}" if found else ""


def ranking_json(ranking: SpaceRanking) -> dict[str, Any]:
    """The contract of `tinynas space --json`, and per configuration the MACs of the samples that fit."""
    chosen = ranking.chosen
    return {
        "configurations": [
            {
                "width": entry.width,
                "resolution": entry.resolution,
                "samples": entry.samples,
                "share_fits": entry.share_fits,
                "mean_macs": entry.mean_macs,
                "p80_macs": entry.p80_macs,
                "score": entry.score,
                "macs": entry.macs.tolist(),
            }
            for entry in ranking.configurations
        ],
        "chosen": None if chosen is None else {"width": chosen.width, "resolution": chosen.resolution},
        "criterion": ranking.criterion,
    }


def space_figure(ranking: SpaceRanking) -> str:
    """The FLOPs distributions as SVG."""
    document = ranking_json(ranking)
    chosen = document["chosen"] or {"width": 0.0, "resolution": 0}
    return flops_distributions(document["configurations"], (chosen["width"], chosen["resolution"]))


def _resized(board: Board, sram_bytes: int | None, flash_bytes: int | None) -> Board:
    """The board with other sizes of the regions that hold the arena and the code."""
    sizes = {board.layout.arena: sram_bytes, board.layout.code: flash_bytes}
    regions = tuple(
        region.model_copy(update={"size_bytes": sizes.get(region.name) or region.size_bytes})
        for region in board.regions
    )
    return board.model_copy(update={"regions": regions})
