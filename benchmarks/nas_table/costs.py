"""What a network of the table costs on a board of the demo's kind, by the models that ship."""

from __future__ import annotations

from functools import cache

from nas_table.space import RESOLUTION, TableSpace
from tinynas.graph import count_params
from tinynas.latency import instruction_quantity
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline.costs import CostModel, load_latency
from tinynas.spaces import Genotype, build_graph
from tinynas.targets import Reserve, load_board

BOARD, TOOLCHAIN = "nucleo-f303k8", "zig"

COSTS = ("macs", "params", "flash_bytes", "sram_bytes", "instructions")
"""Columns. Bytes are those of the whole firmware as linked, instructions are predicted for one inference.

The table was made before cycles decided, and its costs stay what they are.
"""


def costs_of(space: TableSpace, genotype: Genotype) -> dict[str, int]:
    """The costs of one network, by the names in `COSTS`.

    Raises:
        ValueError: it does not fit the board, so that some are not known.
    """
    architecture = space.decode(genotype, 1.0, RESOLUTION)
    cost = _cost_model().of(architecture)
    if cost.violations or cost.latency is None:
        raise ValueError(f"{genotype}: {cost.shortfall or 'the latency is not known'}")
    values = (
        cost.macs,
        count_params(build_graph(architecture)),
        cost.flash_bytes,
        cost.sram_bytes,
        round(cost.latency),
    )
    return dict(zip(COSTS, values, strict=True))


@cache
def _cost_model() -> CostModel:
    board = load_board(BOARD)
    latency = load_latency(board, TOOLCHAIN, quantity=instruction_quantity(board))
    return CostModel(board, NativeMemoryModel.for_board(board), Reserve(), latency)
