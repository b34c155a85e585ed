"""Functions on a bare core, their accesses watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinynas.boards import BareCore, Grant, MachineFault, Right, ZigToolchain
from tinynas.targets import CORES, Region

_CODE = Region(name="flash", kind="flash", address=0x08000000, size_bytes=0x10000)
_DATA = Region(name="data", kind="sram", address=0x20000000, size_bytes=0x4000)
_STACK = Region(name="stack", kind="sram", address=0x20010000, size_bytes=0x1000)
_SCRIPT = (
    "ENTRY(act) SECTIONS { . = 0x08000000; .text : { KEEP(*(.text.act)) *(.text*) } /DISCARD/ : { *(.ARM.exidx*) } }"
)


def _core(folder: Path, assembly: str) -> BareCore:
    lines = "; ".join(line.strip() for line in assembly.strip().splitlines())
    source, script = folder / "act.c", folder / "act.ld"
    source.write_text(f'void act(void);\n__attribute__((naked)) void act(void) {{ __asm volatile("{lines}"); }}\n')
    script.write_text(_SCRIPT)
    ZigToolchain().compile(CORES["cortex-m4f"], source, folder / "act.o", ["-O2"])
    ZigToolchain().link(CORES["cortex-m4f"], [folder / "act.o"], script, folder / "act.elf")
    return BareCore(CORES["cortex-m4f"], folder / "act.elf", (_CODE, _DATA, _STACK), stack="stack", watched=["data"])


_LOAD_AND_STORE = """
    mov.w r1, #0x20000000
    ldr r0, [r1]
    str r0, [r1, #8]
    bx lr
"""


def test_accesses_with_a_right_pass(tmp_path: Path) -> None:
    core = _core(tmp_path, _LOAD_AND_STORE)
    core.write(0x20000000, b"\x01\x02\x03\x04")
    grants = [Grant(0x20000000, 0x20000004, Right.READ), Grant(0x20000008, 0x2000000C, Right.WRITE)]
    report = core.call("act", grants)
    assert (report.instructions, report.reads_outside, report.writes_outside, report.first) == (4, 0, 0, "")
    assert core.read(0x20000008, 4) == b"\x01\x02\x03\x04"


@pytest.mark.parametrize(
    ("grants", "counts", "first"),
    [
        ([], (1, 1), "read at 0x20000000 by act+0x4"),
        ([Grant(0x20000000, 0x20000003, Right.READ)], (1, 1), "read at 0x20000000 by act+0x4"),
        ([Grant(0x20000000, 0x20000010, Right.READ)], (0, 1), "write at 0x20000008 by act+0x6"),
        ([Grant(0x20000000, 0x20000010, Right.WRITE)], (1, 0), "read at 0x20000000 by act+0x4"),
    ],
)
def test_accesses_without_a_right_are_counted(
    grants: list[Grant], counts: tuple[int, int], first: str, tmp_path: Path
) -> None:
    report = _core(tmp_path, _LOAD_AND_STORE).call("act", grants)
    assert (report.reads_outside, report.writes_outside) == counts
    assert report.first == first


@pytest.mark.parametrize("gap", [0, 0x80, 0x400, 0x800])
def test_a_watched_access_under_a_condition_leaves_none_behind(gap: int, tmp_path: Path) -> None:
    """The block behind it, on another page or not, is executed whatever the flags are by then."""
    core = _core(
        tmp_path,
        f"""
        mov.w r1, #0x20000000
        movs r0, #0
        cmp r0, #0
        ite eq
        ldreq r2, [r1]
        ldrne r2, [r1, #64]
        cmp r0, #1
        b.w 1f
        .space {gap}
        1: str r2, [r1, #4]
        bx lr
        """,
    )
    core.write(0x20000000, b"\x01\x02\x03\x04")
    for _ in range(2):
        core.write(0x20000004, b"\x00\x00\x00\x00")
        report = core.call("act", [Grant(0x20000000, 0x20000008, Right.READ | Right.WRITE)])
        assert (report.reads_outside, report.writes_outside) == (0, 0)
        assert core.read(0x20000004, 4) == b"\x01\x02\x03\x04"


def test_a_misaligned_multiple_access_stops_the_core(tmp_path: Path) -> None:
    core = _core(tmp_path, "mov.w r1, #0x20000000; adds r1, #2; ldrd r2, r3, [r1]; bx lr")
    with pytest.raises(MachineFault, match="unaligned access"):
        core.call("act", [Grant(0x20000000, 0x20000010, Right.READ)])
