"""Cycles of short pieces of code, added up by hand from Arm's manuals. P, the refill of the pipeline, is 2.

The manuals: Cortex-M4, 100166 (DDI 0439), 3.3 and 7.2.3; Cortex-M3, 100165, 3.3; Cortex-M0+, DDI 0484, 3.3.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from snippets import Snippets

from tinynas.boards import MachineFault, UnknownTimingError
from tinynas.boards.virtual._blocks import Blocks
from tinynas.boards.virtual._counting import ExecutionCounter
from tinynas.boards.virtual._operations import operation
from tinynas.targets import CORES, Cycles, Timing, read_timing

P = 2

# Of Cortex-M3 and M4: assembly, cycles of each instruction
MAINLINE: list[tuple[str, int]] = [
    ("adds r6, r4, r5; movw r6, #1; movt r6, #1; clz r6, r4; rbit r6, r4; rev r6, r4", 6 * 1),
    ("ubfx r6, r4, #1, #2; bfi r6, r4, #1, #2; ssat r6, #8, r4; usat r6, #8, r4, asr #1; sxtb r6, r4", 5 * 1),
    ("eor.w r6, r4, r5, lsl #3; lsl.w r6, r4, r5; cmp r4, r5; tst r4, r5; mvns r6, r4", 5 * 1),
    ("mul r6, r4, r5", 1),
    # 3.3.2: a load takes 2, and one less behind a load; so does a store
    ("ldr r6, [r1]", 2),
    ("ldr r6, [r1]; ldr r7, [r2]", 2 + 1),
    ("ldr r6, [r1]; ldrb r7, [r2, #3]; ldrsh r0, [r3, #2]; ldr r6, [r1, #4]", 2 + 1 + 1 + 1),
    ("ldr r6, [r1]; ldr r7, [r6]", 2 + 2),  # which waits for the address
    ("ldr r6, [r1]; nop; ldr r7, [r2]", 2 + 1 + 2),
    ("ldr r6, [r1]; add.w r6, r6, #4; ldr r7, [r2]", 2 + 1 + 2),
    ("ldr r6, 1f; b 2f; .p2align 2; 1: .word 7; 2:", 2 + 1 + P),
    # a store with an immediate offset takes 1, one with a register offset 2, and nothing is pipelined behind a store
    ("str r4, [r1]", 1),
    ("str r4, [r1, #4]!; strb r4, [r1], #1; strh r4, [r2, #2]", 1 + 1 + 1),
    ("str r4, [r1, r5]", 2),
    ("strb r4, [r1, r5]; strh r4, [r2, r5]", 2 + 2),
    ("ldr r6, [r1]; str r6, [r2]", 2 + 1),
    ("ldr r6, [r1, r5]; str r6, [r2, r5]", 2 + 1),
    ("str r4, [r1]; ldr r6, [r2]", 1 + 2),
    ("str r4, [r1, r5]; ldr r6, [r2]; ldr r7, [r2]", 2 + 2 + 1),
    ("ldrsb r6, [r1]; strh r6, [r2]; ldrsb r6, [r1, #1]; strh r6, [r2, #2]", 2 + 1 + 2 + 1),
    ("ldrsb r6, [r1]; ldrsb r7, [r1, #1]; strh r6, [r2]; strh r7, [r2, #2]", 2 + 1 + 1 + 1),
    # an address that data processing has just computed
    ("adds r6, r1, #4; ldr r7, [r6]", 1 + 1 + 2),
    ("adds r6, r1, #4; nop; ldr r7, [r6]", 1 + 1 + 2),
    ("adds r6, r1, #4; str r4, [r6]", 1 + 1 + 1),
    ("adds r6, r4, #1; str r4, [r1, r6]", 1 + 1 + 2),
    ("adds r6, r4, #1; str r6, [r1]", 1 + 1),  # the value is no address
    ("adds r6, r1, #4; ldrd r6, r7, [r6]", 1 + 1 + 3),
    ("sub sp, #8; ldr r6, [sp]; add sp, #8", 1 + 1 + 2 + 1),
    # LDRD, LDM and their like: 1 + N, never pipelined
    ("ldrd r6, r7, [r1]", 3),
    ("ldrd r6, r7, [r1]; ldrd r6, r7, [r2]", 3 + 3),
    ("ldr r6, [r1]; ldrd r6, r7, [r2]; ldr r6, [r1]", 2 + 3 + 2),
    ("strd r4, r5, [r1, #8]!", 3),
    ("ldm r1, {r4, r5, r6, r7}; stmia r2!, {r4, r5, r6}", 1 + 4 + 1 + 3),
    ("push {r4-r7}; pop {r4-r7}", 1 + 4 + 1 + 4),
    ("stmdb sp!, {r4-r11}; ldmia.w sp!, {r4-r11}", 1 + 8 + 1 + 8),
    # unaligned, at addresses that are known when the block begins
    ("ldr r6, [r1, #1]; nop; ldr r6, [r1, #2]; nop; ldr r6, [r1, #3]", (2 + 2) + 1 + (2 + 1) + 1 + (2 + 2)),
    ("ldrh r6, [r1, #1]; nop; ldrsh r6, [r1, #3]; nop; ldrh r6, [r1, #2]", (2 + 1) + 1 + (2 + 1) + 1 + 2),
    ("str r4, [r1, #1]; strh r4, [r2, #3]", (1 + 2) + (1 + 1)),
    ("ldr r6, [r1, r4]", 2 + 2),
    ("ldr r6, [r1, r4, lsl #1]; nop; ldr r6, [r1, r4, lsl #2]", (2 + 1) + 1 + 2),
    ("adds r6, r1, #1; nop; ldr r7, [r6]; bic r6, r6, #3; nop; ldr r7, [r6]", 1 + 1 + (2 + 2) + 1 + 1 + 2),
    ("sub.w r6, r1, #3; nop; ldr r7, [r6, #8]; mov r6, sp; nop; ldr r7, [r6, #2]", 1 + 1 + 4 + 1 + 1 + 3),
    # and at others
    ("ldr r6, [r1]; nop; ldr r7, [r6, #1]", 2 + 1 + (2 + 2)),
    ("eor r6, r1, #1; nop; ldr r7, [r6]; ldr r7, [r6, #1]; ldr r7, [r6, #3]", 1 + 1 + (2 + 2) + (1 + 1) + 1),
    ("ldr r6, [r1]; mul r7, r4, r4; ldr r0, [r6, r7]", 2 + 1 + 1 + (2 + 2)),
    # branches
    ("b 1f; 1:", 1 + P),
    ("b.w 1f; nop; 1:", 1 + P),
    ("cmp r4, r4; bne 1f; nop; 1:", 1 + 1 + 1),
    ("cmp r4, r4; beq 1f; nop; 1:", 1 + (1 + P)),
    ("cmp r4, r4; bne.w 1f; beq.w 1f; nop; 1:", 1 + 1 + (1 + P)),
    ("movs r6, #0; cbz r6, 1f; nop; 1:", 1 + (1 + P)),
    ("movs r6, #0; cbnz r6, 1f; nop; 1:", 1 + 1 + 1),
    ("movs r6, #5; 1: subs r6, #1; bne 1b", 1 + 5 * 1 + 4 * (1 + P) + 1),
    ("ldr r6, [r1]; cmp r4, r4; bne 1f; ldr r6, [r1]; ldr r7, [r2]; 1:", 2 + 1 + 1 + 2 + 1),
    ("ldr r6, [r1]; b 1f; 1: ldr r6, [r2]", 2 + (1 + P) + 2),
    ("mov r12, lr; bl helper; mov lr, r12", 1 + (1 + P) + (1 + P) + 1),
    ("mov r12, lr; ldr r6, =helper; blx r6; mov lr, r12", 1 + 2 + (1 + P) + (1 + P) + 1),
    ("push {r4, lr}; adr r6, 1f; adds r6, #1; str r6, [sp, #4]; pop {r4, pc}; .p2align 2; 1:", 3 + 1 + 1 + 1 + (3 + P)),
    ("adr r6, 1f; adds r6, #1; str r6, [r1]; ldr pc, [r1]; .p2align 2; 1:", 1 + 1 + 1 + (2 + P)),
    ("adr r6, 1f; mov pc, r6; .p2align 2; 1:", 1 + (1 + P)),
    ("movs r6, #0; nop; tbb [pc, r6]; 1: .byte (2f - 1b) / 2, 0; 2:", 1 + 1 + (2 + P)),
    ("movs r6, #0; tbb [pc, r6]; 1: .byte (2f - 1b) / 2, 0; 2:", 1 + 1 + (2 + P)),
    # IT is folded into the 16-bit instruction before it; what is skipped takes 1
    ("cmp r4, r4; it eq; addeq r6, r4, r5", 1 + 0 + 1),
    ("cmp.w r4, #256; it eq; addeq r6, r4, r5", 1 + 1 + 1),
    ("cmp r4, r4; it eq; ldreq r6, [r1]", 1 + 0 + 2),
    ("cmp r4, r4; it ne; ldrne r6, [r1]", 1 + 0 + 1),
    ("cmp r4, r4; itt eq; ldreq r6, [r1]; ldreq r7, [r2]", 1 + 0 + 2 + 1),
    ("cmp r4, r4; itt ne; ldrne r6, [r1]; ldrne r7, [r2]", 1 + 0 + 1 + 1),
    ("cmp r4, r4; ite eq; ldreq r6, [r1]; ldrne r7, [r2]", 1 + 0 + 2 + 1),
    ("cmp r4, r4; it eq; ldreq r6, [r1]; ldr r7, [r2]", 1 + 0 + 2 + 1),
    ("cmp r4, r4; it ne; ldrne r6, [r1]; ldr r7, [r2]", 1 + 0 + 1 + 2),
    ("cmp r4, r4; it eq; addeq r6, r1, #4; ldr r7, [r6]", 1 + 0 + 1 + (1 + 2)),
    ("mov r6, r1; cmp r4, r4; it ne; addne r6, r1, #4; ldr r7, [r6]", 1 + 1 + 0 + 1 + 2),
    ("cmp r4, r4; it eq; ldreq r6, [r1, #1]", 1 + 0 + (2 + 2)),
    ("cmp r4, r4; it ne; ldrne r6, [r1, #1]", 1 + 0 + 1),
    ("cmp r4, r4; it eq; ldrdeq r6, r7, [r1]", 1 + 0 + 3),
    ("cmp r4, r4; it eq; beq 1f; nop; 1:", 1 + 0 + (1 + P)),
    ("cmp r4, r4; it ne; bne 1f; nop; 1:", 1 + 0 + 1 + 1),
    (
        "mov r12, lr; adr r6, 1f; adds r6, #1; mov lr, r6; cmp r4, r4; it eq; bxeq lr; .p2align 2; 1: mov lr, r12",
        1 + 1 + 1 + 1 + 1 + 0 + (1 + P) + 1,
    ),
    # divisions: 2, and 10 more for each 32 bits of quotient, rounded up
    ("udiv r6, r4, r5", 2),  # 7 / 8
    ("movs r6, #100; movs r7, #3; udiv r0, r6, r7", 1 + 1 + (2 + 2)),  # 7 bits by 2: 6, at most
    ("mvn r6, #0; movs r7, #1; udiv r0, r6, r7", 1 + 1 + (2 + 10)),
    ("mvn r6, #0; movs r7, #1; sdiv r0, r6, r7", 1 + 1 + (2 + 1)),  # -1 / 1: 1 bit
    ("movs r6, #0; udiv r0, r4, r6", 1 + 2),  # by zero
    ("movs r6, #1; cmp r4, r4; it eq; udiveq r0, r4, r6", 1 + 1 + 0 + (2 + 1)),  # 3 bits
    ("movs r6, #1; cmp r4, r4; it ne; udivne r0, r4, r6", 1 + 1 + 0 + 1),
    # what is rare
    ("ldrex r6, [r1]; strex r7, r4, [r1]; clrex", 2 + 1 + 1),
    ("ldrex r6, [r1]; ldr r7, [r2]", 2 + 1),
    ("mrs r6, primask; msr primask, r6; cpsid i", 2 + 2 + 2),
    ("nop; sev; nop.w", 3 * 1),
    ("dmb sy; dsb sy; isb sy", 1 + 1 + (1 + P)),
]

CORTEX_M3: list[tuple[str, int]] = [
    # a load with base update is not pipelined, neither with what lies before it nor with what lies behind it
    ("ldr r6, [r1], #4; ldr r7, [r1], #4", 2 + 2),
    ("ldr r6, [r1]; ldr r7, [r2, #4]!; ldr r0, [r3]; ldr r6, [r1]", 2 + 2 + 2 + 1),
    ("ldr r6, [r1]; ldrb r7, [r2], #1; strh r4, [r3]", 2 + 2 + 1),
    ("ldr r6, [r1]; str r4, [r2], #4", 2 + 1),  # a store takes 1 anyway
    ("ldr r6, [r1], #1; ldr r6, [r1], #1; ldr r6, [r1], #2; ldr r6, [r1]", 2 + (2 + 2) + (2 + 1) + 2),
    ("mla r6, r4, r5, r4; mls r6, r4, r5, r4", 2 + 2),
    ("smull r6, r7, r4, r5; umull r6, r7, r4, r5", 5 + 5),
    ("smlal r6, r7, r4, r5; umlal r6, r7, r4, r5", 7 + 7),
]

CORTEX_M4: list[tuple[str, int]] = [
    ("ldr r6, [r1], #4; ldr r7, [r1], #4", 2 + 1),  # base updates are pipelined
    ("ldr r6, [r1]; ldr r7, [r2, #4]!; ldr r0, [r3]", 2 + 1 + 1),
    ("ldr r6, [r1], #1; ldr r6, [r1], #1; ldr r6, [r1], #2; ldr r6, [r1]", 2 + (1 + 2) + (1 + 1) + 1),
    ("mla r6, r4, r5, r4; mls r6, r4, r5, r4; smull r6, r7, r4, r5; umlal r6, r7, r4, r5", 4 * 1),
    ("smlad r6, r4, r5, r4; smuad r6, r4, r5; smlabt r6, r4, r5, r4; smmlar r6, r4, r5, r4; smmulr r6, r4, r5", 5 * 1),
    ("smlald r6, r7, r4, r5; smlalbt r6, r7, r4, r5; umaal r6, r7, r4, r5; smulwb r6, r4, r5", 4 * 1),
    ("sxtb16 r6, r4, ror #8; uqadd8 r6, r4, r5; pkhbt r6, r4, r5, lsl #16; sel r6, r4, r5; ssat16 r6, #8, r4", 5 * 1),
    ("usada8 r6, r4, r5, r4; qadd r6, r4, r5; sxtab16 r6, r4, r5; shadd16 r6, r4, r5", 4 * 1),
    # a pair of elements and two columns: LDR pipelined against LDRD
    ("ldr r6, [r1]; ldr r7, [r1, #4]; ldr r0, [r2]; ldr r12, [r2, #4]; smlad r4, r6, r0, r4", 5 + 1),
    ("ldrd r6, r7, [r1]; ldrd r0, r12, [r2]; smlad r4, r6, r0, r4", 3 + 3 + 1),
    ("vmov s0, r4; vmov r6, s0; vmov.f32 s1, s0; vmov.f32 s2, #1.0", 4 * 1),
    ("vmov s0, r1; vmov r6, s0; ldr r7, [r6]", 1 + 1 + (1 + 2)),  # an address from the FPU
    ("vmov r6, r7, d0; vmov d0, r4, r5; vmrs r6, fpscr; vmsr fpscr, r6", 2 + 2 + 1 + 1),
    ("vldr s0, [r1]; vldr d1, [r1]; vstr s0, [r2]; vstr d1, [r2]", 2 + 3 + 2 + 3),
    ("vldmia r1, {s0-s3}; vstmia r2!, {d0-d1}; vpush {d8}; vpop {d8}", (1 + 4) + (1 + 4) + (1 + 2) + (1 + 2)),
    ("vadd.f32 s0, s1, s2; vmul.f32 s3, s4, s5; vabs.f32 s6, s7; vneg.f32 s6, s7; vcmp.f32 s6, s7", 5 * 1),
    ("vcvt.s32.f32 s0, s1; vcvt.f32.s32 s2, s3; vcvt.f32.s32 s4, s4, #8", 3 * 1),
    ("vadd.f32 s0, s1, s2; vmul.f32 s3, s0, s5", 1 + (1 + 1)),  # waits for the result
    ("vmla.f32 s0, s1, s2; vfma.f32 s3, s1, s2; vnmls.f32 s4, s1, s2", 3 * 3),
    ("vadd.f32 s0, s1, s2; vmla.f32 s0, s1, s2", 1 + 3),  # what is accumulated to is needed later
    ("vadd.f32 s1, s2, s3; vmla.f32 s0, s1, s2", 1 + (1 + 3)),
    ("vdiv.f32 s0, s1, s2; vsqrt.f32 s3, s4", 14 + 14),
    ("vadd.f32 s0, s1, s2; vmov r6, s0", 1 + (1 + 1)),
    ("vadd.f32 s0, s1, s2; vmov r6, r7, s0, s1", 1 + (2 + 1)),
    ("vadd.f32 s1, s2, s3; vmov r6, r7, s0, s1", 1 + (2 + 1)),
    ("vadd.f32 s2, s3, s4; vmov r6, r7, s0, s1", 1 + 2),
    ("vadd.f32 s2, s3, s4; vmov r6, r7, d1", 1 + (2 + 1)),
    ("vadd.f32 s3, s4, s5; vmov r6, r7, d1", 1 + (2 + 1)),
    ("vadd.f32 s0, s1, s2; vmov d0, r4, r5", 1 + 2),  # into the FPU: it reads none of its registers
    ("vadd.f32 s0, s1, s2; vmov.32 r6, d0[0]", 1 + (1 + 1)),
    ("vadd.f32 s3, s1, s2; vmov.32 r6, d1[1]", 1 + (1 + 1)),
    ("vadd.f32 s2, s1, s0; vmov.32 r6, d1[1]", 1 + 1),
    ("vadd.f32 s0, s1, s2; vmov.32 d0[0], r4", 1 + 1),
]

CORTEX_M0PLUS: list[tuple[str, int]] = [
    ("adds r6, r4, r5; lsls r6, r4; cmp r4, r5; mov r8, r4; add r8, r4; rev r6, r4; sxtb r6, r4; uxth r6, r4", 8),
    ("ldr r6, [r1]; ldr r7, [r6]; ldrb r6, [r1]; ldrsh r6, [r1, r5]", 4 * 2),
    ("str r4, [r1]; strb r4, [r1, r5]; strh r4, [r1]; str r4, [sp, #0]", 4 * 2),
    ("adds r6, r1, #4; ldr r7, [r6]", 1 + 2),
    ("ldmia r1!, {r4, r5, r6}; stmia r2!, {r4, r5}", (1 + 3) + (1 + 2)),
    ("push {r4-r7}; pop {r4-r7}", (1 + 4) + (1 + 4)),
    ("push {r4, lr}; adr r6, 1f; adds r6, #1; str r6, [sp, #4]; pop {r4, pc}; .p2align 2; 1:", 3 + 1 + 1 + 2 + (3 + 2)),
    ("b 1f; 1:", 2),
    ("cmp r4, r4; bne 1f; nop; 1:", 1 + 1 + 1),
    ("cmp r4, r4; beq 1f; nop; 1:", 1 + 2),
    ("movs r6, #5; 1: subs r6, #1; bne 1b", 1 + 5 * 1 + 4 * 2 + 1),
    ("mov r12, lr; bl helper; mov lr, r12", 1 + 3 + 2 + 1),
    ("mov r12, lr; ldr r6, =helper; blx r6; mov lr, r12", 1 + 2 + 2 + 2 + 1),
    ("adr r6, 1f; mov pc, r6; .p2align 2; 1:", 1 + 2),
    ("mrs r6, primask; msr primask, r6; cpsid i", 3 + 3 + 1),
    ("nop; sev", 2 * 1),
    ("dmb sy; dsb sy; isb sy", 3 + 3 + 3),
]

_FAST = read_timing("cortex-m0plus").with_multiplier(1)
_SLOW = read_timing("cortex-m0plus").with_multiplier(32)

TABLES: dict[str, tuple[str, Timing, list[tuple[str, int]]]] = {
    "m3": ("cortex-m3", read_timing("cortex-m3"), MAINLINE + CORTEX_M3),
    "m4": ("cortex-m4f", read_timing("cortex-m4"), MAINLINE + CORTEX_M4),
    "m0plus": ("cortex-m0plus", _FAST, [*CORTEX_M0PLUS, ("muls r6, r4", 1)]),
    "m0plus-small": ("cortex-m0plus", _SLOW, [*CORTEX_M0PLUS, ("muls r6, r4", 32)]),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Snippets]:
    return {
        name: Snippets(core, timing, [body for body, _ in table], tmp_path_factory.mktemp(name))
        for name, (core, timing, table) in TABLES.items()
    }


@pytest.mark.parametrize(
    ("name", "index"),
    [
        pytest.param(name, index, id=f"{name}-{body[:60]}")
        for name, (_, _, table) in TABLES.items()
        for index, (body, _) in enumerate(table)
    ],
)
def test_snippets_take_what_the_manual_says(name: str, index: int, images: dict[str, Snippets]) -> None:
    assert images[name].cycles(index) == TABLES[name][2][index][1]


@pytest.mark.parametrize("name", TABLES)
def test_every_class_of_instructions_is_among_them(name: str, images: dict[str, Snippets]) -> None:
    """But for WFE and WFI, at which the emulator stops."""
    _, timing, _ = TABLES[name]
    known = {field for field in Cycles.model_fields if getattr(timing.cycles, field) is not None}
    met = {operation(instruction).kind for instruction in images[name].instructions()}
    assert met == known - {"wait"} | ({"divide"} if timing.divide is not None else set())


@pytest.mark.parametrize("name", ["m3", "m4"])
def test_loads_are_pipelined_from_page_to_page(name: str, tmp_path: Path) -> None:
    """Blocks of the emulator end with a page: here every 1,024 or 4,096 bytes, in the middle of 6,000 loads."""
    core, timing, _ = TABLES[name]
    loads = "; ".join(["ldr r6, [r1]"] * 6000)
    stores = "; ".join(["ldr.w r6, [r1, #1]; str r6, [r2, r5]"] * 900)
    image = Snippets(core, timing, [loads, stores], tmp_path)
    assert image.cycles(0) == 2 + 5999
    assert image.cycles(1) == 900 * ((2 + 2) + 1)


@pytest.mark.parametrize(
    ("core", "name", "code", "words"),
    [
        ("cortex-m4f", "cortex-m4", ".inst.w 0xf891f000", "f891 f000"),  # PLD, of which no manual says what it takes
        ("cortex-m3", "cortex-m3", ".inst.n 0xbf50", "bf50"),  # a hint that is not allocated
    ],
)
def test_an_instruction_without_a_timing_is_named(core: str, name: str, code: str, words: str, tmp_path: Path) -> None:
    image = Snippets(core, read_timing(name), [f"cmp r4, r4; beq 1f; {code}; 1:", f"nop; {code}"], tmp_path)
    assert image.cycles(0) == 1 + 1 + P  # it is not executed
    with pytest.raises(
        UnknownTimingError, match=rf"no timing is known of the instruction {words} at 0x080000"
    ) as caught:
        image.cycles(1)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_an_instruction_that_the_manual_leaves_out_is_named(tmp_path: Path) -> None:
    """A Cortex-M4 timed as a Cortex-M3, which has no SMLAD."""
    image = Snippets("cortex-m4f", read_timing("cortex-m3"), ["smlad r6, r4, r5, r4"], tmp_path)
    with pytest.raises(
        UnknownTimingError, match="the manual of the Cortex-M3 gives no timing of the instruction fb24 4605"
    ):
        image.cycles(0)


@pytest.mark.parametrize("core", sorted(name for name, core in CORES.items() if core.emulator and not core.timing))
def test_without_a_timing_there_are_no_cycles(core: str, tmp_path: Path) -> None:
    image = Snippets(core, None, ["nop"], tmp_path)
    assert image.cycles(0) is None
    assert image.core.call("snippet_1").instructions == image.core.call("snippet_0").instructions + 1


def test_a_timing_with_an_open_multiplier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Cortex-M0\\+: it is open which multiplier the part has"):
        Snippets("cortex-m0plus", read_timing("cortex-m0plus"), ["nop"], tmp_path)


@pytest.mark.parametrize("error", [ZeroDivisionError("not a timing"), KeyboardInterrupt()])
def test_what_is_raised_while_a_block_is_described_comes_out(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(*_: object) -> int | None:
        raise error

    image = Snippets("cortex-m4f", read_timing("cortex-m4"), ["nop"], tmp_path)
    monkeypatch.setattr(Blocks, "find", find)
    with pytest.raises(type(error)) as caught:
        image.cycles(0)
    assert caught.value is error


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_before_the_description_begins_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python handles signals where a function begins: nothing in it can catch that, and ctypes drops it."""

    def interrupted(*_: object) -> int | None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ExecutionCounter, "_find_block", interrupted)
    image = Snippets("cortex-m4f", read_timing("cortex-m4"), ["nop"], tmp_path)
    with pytest.raises(KeyboardInterrupt):
        image.cycles(0)


@pytest.mark.parametrize("timing", [None, read_timing("cortex-m4")], ids=["instructions", "cycles"])
def test_a_branch_into_constants_ends(timing: Timing | None, tmp_path: Path) -> None:
    """Here the constant reads as a branch to itself, which no limit of instructions that are counted would end."""
    image = Snippets(
        "cortex-m4f", timing, ["adr r6, 1f; adds r6, #1; bx r6; .p2align 2; 1: .word 0xe7fee7fe"], tmp_path
    )
    with pytest.raises(MachineFault, match=r"execution of constants .* by the instruction at 0x080000.. in snippet_1"):
        image.cycles(0)
