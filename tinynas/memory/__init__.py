"""Memory: live ranges, arena planners, and models of what a network takes of a board's SRAM and flash."""

from tinynas.memory._advice import MemoryAdvice, MemoryOption, Ticks, advise
from tinynas.memory._block_cost import BlockCost, block_cost, combine
from tinynas.memory._embedded import EmbeddedCode, embedded_code
from tinynas.memory._greedy import TFLM_ALIGNMENT, extent, plan_greedy
from tinynas.memory._image import InputSection
from tinynas.memory._live_ranges import (
    NATIVE_ALIGNMENT,
    LiveRange,
    ScheduleRanges,
    bytes_per_step,
    live_ranges,
    lower_bound,
)
from tinynas.memory._model_files import (
    STREAMED_KERNELS,
    GeneratedFunction,
    KernelMemory,
    MemoryModelFileError,
    MissingMemoryModelError,
    RuntimeMemory,
    kernel_memory_path,
    load_kernel_memory,
    load_runtime_memory,
    runtime_memory_path,
    save_memory,
)
from tinynas.memory._native import NativeMemoryModel
from tinynas.memory._patching import MOST_STEPS, PatchedStage, best_patch_plan, patched_stages
from tinynas.memory._plan import MemoryPlan, plan_arena
from tinynas.memory._reorder import reorder
from tinynas.memory._search_planner import plan_search
from tinynas.memory._segments import Segment, segments
from tinynas.memory._sources import changed_sources, firmware_hash, kernel_hashes, runtime_hashes, say_changed
from tinynas.memory._stream_cells import Cell, KernelTicks, cells_of
from tinynas.memory._stream_planner import StreamChoice, stream_choices
from tinynas.memory._stream_ticks import call_ticks
from tinynas.memory._usage import FlashUsage, MemoryModel, RegionUsage, SramUsage, Verdict

__all__ = [
    "MOST_STEPS",
    "NATIVE_ALIGNMENT",
    "STREAMED_KERNELS",
    "TFLM_ALIGNMENT",
    "BlockCost",
    "Cell",
    "EmbeddedCode",
    "FlashUsage",
    "GeneratedFunction",
    "InputSection",
    "KernelMemory",
    "KernelTicks",
    "LiveRange",
    "MemoryAdvice",
    "MemoryModel",
    "MemoryModelFileError",
    "MemoryOption",
    "MemoryPlan",
    "MissingMemoryModelError",
    "NativeMemoryModel",
    "PatchedStage",
    "RegionUsage",
    "RuntimeMemory",
    "ScheduleRanges",
    "Segment",
    "SramUsage",
    "StreamChoice",
    "Ticks",
    "Verdict",
    "advise",
    "best_patch_plan",
    "block_cost",
    "bytes_per_step",
    "call_ticks",
    "cells_of",
    "changed_sources",
    "combine",
    "embedded_code",
    "extent",
    "firmware_hash",
    "kernel_hashes",
    "kernel_memory_path",
    "live_ranges",
    "load_kernel_memory",
    "load_runtime_memory",
    "lower_bound",
    "patched_stages",
    "plan_arena",
    "plan_greedy",
    "plan_search",
    "reorder",
    "runtime_hashes",
    "runtime_memory_path",
    "save_memory",
    "say_changed",
    "segments",
    "stream_choices",
]
