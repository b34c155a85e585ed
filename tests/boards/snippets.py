"""Assembly of a few instructions, and the cycles that it takes: run on a bare core between two NOPs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinynas.boards import BareCore, ZigToolchain
from tinynas.boards.virtual._thumb import Instruction, decode
from tinynas.targets import CORES, Region, Timing

CODE = Region(name="flash", kind="flash", address=0x08000000, size_bytes=0x20000)
DATA = Region(name="data", kind="sram", address=0x20000000, size_bytes=0x4000)
STACK = Region(name="stack", kind="sram", address=0x20010000, size_bytes=0x1000)
_SCRIPT = "ENTRY(snippet_0) SECTIONS { . = 0x08000000; .text : { KEEP(*(.text*)) } /DISCARD/ : { *(.ARM.exidx*) } }"

# R1, R2 and R3 lead to data, words that hold the address of a word there; R4 is 7 and R5 is 8.
_BEFORE = """
    push {r4-r7, lr}
    movs r1, #0x20
    lsls r1, r1, #24
    movs r2, #1
    lsls r2, r2, #8
    adds r2, r2, r1
    movs r3, #2
    lsls r3, r3, #8
    adds r3, r3, r1
    movs r4, #7
    movs r5, #8
    nop
"""
_BEHIND = """
    nop
    pop {r4-r7, pc}
    .ltorg
"""


class Snippets:
    """An image with one function for each snippet.

    Args:
        core: by its name.
        timing: of the core.
        bodies: assembly; `helper` is a function that returns at once.
        folder: for the image.
    """

    def __init__(self, core: str, timing: Timing | None, bodies: Sequence[str], folder: Path) -> None:
        functions = ["helper:\n    bx lr"]
        functions += [
            f"snippet_{index}:{_BEFORE}{body}{_BEHIND}\n.size snippet_{index}, . - snippet_{index}"
            for index, body in enumerate(["", *bodies])
        ]
        names = ["helper", *(f"snippet_{index}" for index in range(len(functions) - 1))]
        heads = "".join(f".type {name}, %function\n.globl {name}\n" for name in names)
        text = ".syntax unified\n.thumb\n.text\n" + heads + "\n".join(f".p2align 2\n{each}" for each in functions)
        lines = "\\n".join(line.strip() for line in text.replace(";", "\n").splitlines())
        source, script = folder / "snippets.c", folder / "snippets.ld"
        source.write_text(f'__asm__("{lines}\\n");\n', encoding="utf-8")
        script.write_text(_SCRIPT, encoding="utf-8")
        ZigToolchain().compile(CORES[core], source, folder / "snippets.o", ["-O2"])
        ZigToolchain().link(CORES[core], [folder / "snippets.o"], script, folder / "snippets.elf")
        self.core = BareCore(CORES[core], folder / "snippets.elf", (CODE, DATA, STACK), stack="stack", timing=timing)

    def cycles(self, index: int) -> int | None:
        """Cycles of a snippet alone."""
        alone, whole = self._call(0), self._call(index + 1)
        return None if alone is None or whole is None else whole - alone

    def instructions(self) -> list[Instruction]:
        """All of them, without literal pools."""
        ranges = self.core.image.code_ranges
        return [each for start, end in ranges for each in decode(self.core.read(start, end - start), start)]

    def _call(self, index: int) -> int | None:
        word = (DATA.address + 0x300).to_bytes(4, "little")
        self.core.write(DATA.address, word * (DATA.size_bytes // 4))
        return self.core.call(f"snippet_{index}").cycles
