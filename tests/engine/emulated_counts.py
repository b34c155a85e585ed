"""Counts the instructions of each step of generated models on an emulated Cortex-M4."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import unicorn
from arm_targets import compile_for
from elftools.elf.elffile import ELFFile
from host_models import generate_units
from unicorn import arm_const

from tinynas.graph import Graph
from tinynas.lowering import Schedule

_FLASH, _SRAM, _SIZE = 0x08000000, 0x20000000, 0x01000000
_RETURN = _FLASH + _SIZE - 4
_SCRIPT = f"""SECTIONS {{
  . = {_FLASH}; .text : {{ *(.text*) }} .rodata : {{ *(.rodata*) }}
  . = {_SRAM}; .bss (NOLOAD) : {{ KEEP(*(.bss*)) }}
  /DISCARD/ : {{ *(.ARM.exidx*) }}
}}
"""


class EmulatedModels:
    """Several models in one image. There is no run-time library in it: a Cortex-M4 needs none."""

    def __init__(
        self,
        graphs: Sequence[Graph],
        directory: Path,
        choose: Callable[[Schedule], Schedule] = lambda schedule: schedule,
    ) -> None:
        built, sources = generate_units(graphs, directory, choose=choose)
        self.schedules: list[Schedule] = [schedule for schedule, _ in built]
        image = directory / "image.elf"
        (directory / "image.ld").write_text(_SCRIPT)
        compile_for("cortex-m4f", sources, directory / "image.o")
        linker = [sys.executable, "-m", "ziglang", "ld.lld", "-T", str(directory / "image.ld"), "-e", "0"]
        linked = subprocess.run(
            [*linker, str(directory / "image.o"), "-o", str(image)], capture_output=True, text=True, check=False
        )
        assert linked.returncode == 0, linked.stderr
        self._machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        self._machine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        for base in (_FLASH, _SRAM):
            self._machine.mem_map(base, _SIZE)
        with image.open("rb") as file:
            elf = ELFFile(file)
            for segment in elf.iter_segments("PT_LOAD"):
                self._machine.mem_write(segment["p_vaddr"], segment.data())
            symbols = elf.get_section_by_name(".symtab").iter_symbols()
            self._symbols = {s.name: (s["st_value"], s["st_size"]) for s in symbols}
        self._instructions_of_block: dict[tuple[int, int], int] = {}

    def count(self, index: int, seed: int) -> list[int]:
        """Instructions of each step of model `index`, from the kernel's first to its return, on random data."""
        arena, size = self._symbols[f"m{index}_model_arena"]
        self._machine.mem_write(arena, np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes())
        start, length = self._symbols[f"m{index}_model_invoke"]
        invoke = range(start & ~1, (start & ~1) + length)
        counts = [0]

        def on_block(_: unicorn.Uc, address: int, size: int, __: object) -> None:
            if address not in invoke:
                counts[-1] += self._count_block(address, size)
            elif counts[-1]:
                counts.append(0)

        hook = self._machine.hook_add(unicorn.UC_HOOK_BLOCK, on_block)
        self._machine.reg_write(arm_const.UC_ARM_REG_SP, _SRAM + _SIZE)
        self._machine.reg_write(arm_const.UC_ARM_REG_LR, _RETURN | 1)
        self._machine.emu_start(start | 1, _RETURN)
        self._machine.hook_del(hook)
        return [count for count in counts if count]

    def _count_block(self, address: int, size: int) -> int:
        key = (address, size)
        if key not in self._instructions_of_block:
            halfwords = np.frombuffer(bytes(self._machine.mem_read(address, size)), "<u2")
            position = count = 0
            while position < len(halfwords):
                # Arm v7-M reference manual, A5.1: 0b11101, 0b11110 and 0b11111 start a 32-bit instruction.
                position += 2 if halfwords[position] >> 11 >= 0b11101 else 1
                count += 1
            self._instructions_of_block[key] = count
        return self._instructions_of_block[key]
