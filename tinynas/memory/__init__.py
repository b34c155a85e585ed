"""Memory: live ranges, arena planners, and models of what a network takes of a board's SRAM and flash."""

from tinynas.memory._greedy import TFLM_ALIGNMENT, extent, plan_greedy
from tinynas.memory._live_ranges import (
    NATIVE_ALIGNMENT,
    LiveRange,
    ScheduleRanges,
    bytes_per_step,
    live_ranges,
    lower_bound,
)
from tinynas.memory._plan import MemoryPlan, plan_arena
from tinynas.memory._search_planner import plan_search
from tinynas.memory._segments import Segment, segments

__all__ = [
    "NATIVE_ALIGNMENT",
    "TFLM_ALIGNMENT",
    "LiveRange",
    "MemoryPlan",
    "ScheduleRanges",
    "Segment",
    "bytes_per_step",
    "extent",
    "live_ranges",
    "lower_bound",
    "plan_arena",
    "plan_greedy",
    "plan_search",
    "segments",
]
