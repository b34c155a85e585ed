"""How long the comparison of all configurations of a space takes, and what it chooses as the board grows.

    python benchmarks/space_optimizer.py --board stm32f746g-disco --samples 1000
    python benchmarks/space_optimizer.py --law --samples 200

The law of MCUNet (Lin et al. 2020, figure 12): more SRAM raises the chosen resolution, more flash the chosen width.
"""

from __future__ import annotations

import argparse
import time

from rich.console import Console
from rich.table import Table

from tinynas.memory import NativeMemoryModel
from tinynas.pipeline import CostModel
from tinynas.spaces import SearchSpace, SpaceRanking, load_space, optimize_space
from tinynas.targets import Board, Reserve, load_board

KILOBYTE = 1024
SRAM = (192, 256, 320, 384, 512)
FLASH = (512, 1024, 1536, 2048)


def main() -> None:
    """Print the time of one comparison, or the table of the law."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--board", default="stm32f746g-disco")
    parser.add_argument("--space", default="mobile")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--law", action="store_true")
    arguments = parser.parse_args()
    board, space = load_board(arguments.board), load_space(arguments.space)
    if arguments.law:
        _law(board, space, arguments.samples)
        return
    started = time.perf_counter()
    ranking = _rank(board, space, arguments.samples)
    seconds = time.perf_counter() - started
    networks = len(ranking.configurations) * arguments.samples
    print(f"{networks:,} networks in {seconds:.1f} s, one process: {1e6 * seconds / networks:.0f} us a network")
    for result in ranking.configurations[:5]:
        print(
            f"  w{result.width:g}-r{result.resolution}: fits {100 * result.share_fits:.0f} %, "
            f"mean {result.mean_macs / 1e6:.1f} M, p80 {result.p80_macs / 1e6:.1f} M, score {result.score / 1e6:.1f} M"
        )


def _rank(board: Board, space: SearchSpace, samples: int) -> SpaceRanking:
    costs = CostModel(board, NativeMemoryModel.for_board(board), Reserve())
    return optimize_space(space, list(space.configurations()), samples, costs.fits, seed=0)


def _law(board: Board, space: SearchSpace, samples: int) -> None:
    table = Table(title=f"chosen width and resolution, {samples} samples each")
    table.add_column("flash \\ SRAM", justify="right")
    for sram in SRAM:
        table.add_column(f"{sram} KB", justify="right")
    for flash in FLASH:
        row = []
        for sram in SRAM:
            chosen = _rank(_resized(board, sram, flash), space, samples).chosen
            row.append("-" if chosen is None else f"w{chosen.width:g}-r{chosen.resolution}")
        table.add_row(f"{flash} KB", *row)
    Console().print(table)


def _resized(board: Board, sram: int, flash: int) -> Board:
    sizes = {board.arena_region.name: sram * KILOBYTE, board.code_region.name: flash * KILOBYTE}
    regions = tuple(
        region.model_copy(update={"size_bytes": sizes.get(region.name, region.size_bytes)}) for region in board.regions
    )
    return board.model_copy(update={"regions": regions})


if __name__ == "__main__":
    main()
