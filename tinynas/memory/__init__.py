"""Memory: live ranges, arena planners, and models of what a network takes of a board's SRAM and flash."""

from tinynas.memory._block_cost import BlockCost, block_cost, combine
from tinynas.memory._greedy import TFLM_ALIGNMENT, extent, plan_greedy
from tinynas.memory._live_ranges import (
    NATIVE_ALIGNMENT,
    LiveRange,
    ScheduleRanges,
    bytes_per_step,
    live_ranges,
    lower_bound,
)
from tinynas.memory._model_files import MemoryModelFileError, MissingMemoryModelError
from tinynas.memory._native import NativeMemoryModel
from tinynas.memory._plan import MemoryPlan, plan_arena
from tinynas.memory._search_planner import plan_search
from tinynas.memory._segments import Segment, segments
from tinynas.memory._usage import FlashUsage, MemoryModel, RegionUsage, SramUsage, Verdict

__all__ = [
    "NATIVE_ALIGNMENT",
    "TFLM_ALIGNMENT",
    "BlockCost",
    "FlashUsage",
    "LiveRange",
    "MemoryModel",
    "MemoryModelFileError",
    "MemoryPlan",
    "MissingMemoryModelError",
    "NativeMemoryModel",
    "RegionUsage",
    "ScheduleRanges",
    "Segment",
    "SramUsage",
    "Verdict",
    "block_cost",
    "bytes_per_step",
    "combine",
    "extent",
    "live_ranges",
    "lower_bound",
    "plan_arena",
    "plan_greedy",
    "plan_search",
    "segments",
]
