"""What networks cost on a board, from the costs of their blocks, and which schedule and kernels that leads to."""

from tinynas.pipeline.costs._block_schedules import BlockSchedules
from tinynas.pipeline.costs._budget_use import too_small_a_space
from tinynas.pipeline.costs._cost_model import CostModel
from tinynas.pipeline.costs._expected_ticks import expected_ticks
from tinynas.pipeline.costs._kernel_choice import (
    choose_for_board,
    decided_by_json,
    kernels_json,
    load_latency,
    schedule_json,
    with_kernels,
)
from tinynas.pipeline.costs._network_cost import LatencyLimit, NetworkCost
from tinynas.pipeline.costs._schedule_comparison import SCHEDULE_KINDS, Sampling, compare_schedules

__all__ = [
    "SCHEDULE_KINDS",
    "BlockSchedules",
    "CostModel",
    "LatencyLimit",
    "NetworkCost",
    "Sampling",
    "choose_for_board",
    "compare_schedules",
    "decided_by_json",
    "expected_ticks",
    "kernels_json",
    "load_latency",
    "schedule_json",
    "too_small_a_space",
    "with_kernels",
]
