"""What is said to fit links on small boards and computes the reference's bits; one word less, and both say no."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from little_sram_networks import branches, large_image
from small_boards import small_board

from tinynas.boards import DoesNotFitError
from tinynas.engine import ChosenSchedule
from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.latency import with_random_constants
from tinynas.lowering import Lowering
from tinynas.memory import plan_arena
from tinynas.pipeline.costs import choose_for_board
from tinynas.pipeline.deployment import deploy, load_memory_model, measure, random_inputs
from tinynas.targets import Board, Reserve, load_board


def _wide() -> Graph:
    b = GraphBuilder("wide", DType.INT8)
    x = b.conv_2d(b.input((1, 10, 10, 16)), 16, 5, name="wide")
    return b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")])


def _dense() -> Graph:
    b = GraphBuilder("dense", DType.INT8)
    x = b.fully_connected(b.input((1, 512)), 64, name="first")
    return b.build([b.fully_connected(x, 8, name="second")])


def _plane() -> Graph:
    b = GraphBuilder("plane", DType.INT8)
    x = b.depthwise_conv_2d(b.input((1, 32, 32, 3)), 3, stride=2, name="shrinking")
    return b.build([b.fully_connected(b.mean(x, name="pool"), 4, name="head")])


@dataclass(frozen=True)
class Case:
    """A network, the board that runs it, an arena in which shapes alone do not fit, and what makes it fit."""

    board: str
    graph: Graph
    arena_bytes: int
    change: str
    streams: bool = True


CASES = {
    "columns": Case("virt-m4", _wide(), 3200, "conv_2d for conv_2d_im2col"),
    "columns-m0plus": Case("virt-m0plus", _wide(), 3200, "conv_2d for conv_2d_swar"),
    "words-m0plus": Case("virt-m0plus", _dense(), 576, "fully_connected for fully_connected_in_words"),
    "plane": Case("virt-m4", _plane(), 3072 + 768, "shrinking, row by row"),
    "order": Case("virt-m4", branches(), 64 * 38, "the operators in another order"),
    "order-m0plus": Case("virt-m0plus", branches(), 64 * 38, "the operators in another order"),
    "rows": Case("virt-m4", large_image(), 9000, "first to pool, row by row"),
    "rows-m0plus": Case("virt-m0plus", large_image(), 9000, "first to second, row by row"),
    "patches": Case("virt-m4", large_image(), 9000, "the first 2 layers in", streams=False),
    "patches-m0plus": Case("virt-m0plus", large_image(), 9000, "the first 2 layers in", streams=False),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def chosen_for(case: Case, board: Board, reserve: Reserve | None = None) -> ChosenSchedule:
    return choose_for_board(with_random_constants(case.graph, seed=4), board, "zig", reserve, streams=case.streams)


def test_it_is_built_and_computes_the_same_bits(case: Case, tmp_path: Path) -> None:
    board = load_board(str(small_board(case.board, case.arena_bytes, tmp_path)))
    plain = Lowering.for_core(board.core)(case.graph)
    assert plan_arena(plain).arena_bytes > case.arena_bytes
    assert not load_memory_model(board, "zig").fits(plain).fits
    chosen = chosen_for(case, board)
    assert chosen.fits
    assert case.change in "; ".join(chosen.changes)
    deployment = deploy(chosen.schedule.graph, board, tmp_path / "built", schedule=chosen.schedule)
    measured = measure(deployment, board, random_inputs(chosen.schedule, 4, seed=5))
    assert measured.mismatches == 0
    memory = load_memory_model(board, "zig")
    assert memory.sram(chosen.schedule).static_bytes == deployment.firmware.static_sram_bytes
    assert memory.flash(chosen.schedule).total_bytes == deployment.firmware.flash_bytes


def test_where_nothing_fits_the_nearest_miss_does_not_link(case: Case, tmp_path: Path) -> None:
    board = load_board(str(small_board(case.board, case.arena_bytes, tmp_path)))
    chosen = chosen_for(case, board)
    memory = load_memory_model(board, "zig")
    (region,) = (r for r in memory.sram(chosen.schedule).regions if r.name == board.layout.arena)
    reserve = Reserve(sram_bytes=region.available_bytes - region.used_bytes + 8)
    assert memory.fits(chosen.schedule, reserve).fits is False
    with pytest.raises(DoesNotFitError):
        deploy(chosen.schedule.graph, board, tmp_path / "built", schedule=chosen.schedule, reserve=reserve)
