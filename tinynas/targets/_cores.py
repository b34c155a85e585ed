"""Processor cores: what a kernel or a memory model may assume about the instruction set and the pointers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Core:
    """One processor core.

    Attributes:
        name: the key in `CORES` and in board files.
        architecture: Arm's name of the instruction set ("armv6-m", "armv7e-m", ...), or "x86-64".
        has_dsp: the SIMD and saturating instructions of the DSP extension exist (SMLAD, SXTB16, SSAT16, ...).
        has_fpu: single precision hardware floating point exists.
        has_cycle_counter: `DWT->CYCCNT` exists (Armv7-M and Armv8-M Mainline; Armv6-M has none: Armv6-M ARM, C1.8).
        pointer_bytes: size of a pointer, which TFLM's structures depend on.
    """

    name: str
    architecture: str
    has_dsp: bool
    has_fpu: bool
    has_cycle_counter: bool
    pointer_bytes: int


# Arm Cortex-M comparison table: https://developer.arm.com/Processors/Cortex-M (DSP, FPU), and the technical reference
# manuals DDI0484 (M0+), DDI0337 (M3), DDI0439 (M4), DDI0489 (M7), 100230 (M33).
_CORES = (
    Core("cortex-m0plus", "armv6-m", has_dsp=False, has_fpu=False, has_cycle_counter=False, pointer_bytes=4),
    Core("cortex-m3", "armv7-m", has_dsp=False, has_fpu=False, has_cycle_counter=True, pointer_bytes=4),
    Core("cortex-m4", "armv7e-m", has_dsp=True, has_fpu=False, has_cycle_counter=True, pointer_bytes=4),
    Core("cortex-m4f", "armv7e-m", has_dsp=True, has_fpu=True, has_cycle_counter=True, pointer_bytes=4),
    Core("cortex-m7", "armv7e-m", has_dsp=True, has_fpu=True, has_cycle_counter=True, pointer_bytes=4),
    Core("cortex-m33", "armv8-m.main", has_dsp=True, has_fpu=True, has_cycle_counter=True, pointer_bytes=4),
    Core("host64", "x86-64", has_dsp=False, has_fpu=True, has_cycle_counter=False, pointer_bytes=8),
)

CORES: Mapping[str, Core] = MappingProxyType({core.name: core for core in _CORES})
