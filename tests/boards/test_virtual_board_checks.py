"""Every check of the virtual board fires, with address and symbol; and what silicon allows passes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from small_models import build_body

from tinynas.boards import Device, MachineFault, RunLimitError, VirtualBoard
from tinynas.targets import CORES, Board, load_board


def _invoke(board: Board, folder: Path, body: str, *, prologue: str = "", limit: int = 100_000_000) -> None:
    firmware = build_body(board, folder, f"(void)values; {body}", prologue=prologue)
    device = Device(VirtualBoard(board, firmware.elf, instruction_limit=limit))
    device.hello()
    device.run()


@dataclass(frozen=True)
class Case:
    """C that must stop the machine: the reason, and the memory address reported where there is one."""

    name: str
    body: str
    reason: str
    address: int | None = None
    prologue: str = ""


_UNALIGNED = (
    'uint32_t base = 0x20000001u, x = 0, y = 0; __asm volatile("{}" : "+r"(base), "+r"(x), "+r"(y) :: "memory");'
)

ACCESSES = [
    Case("read", "*(volatile uint32_t *)0x30000000u;", "read outside the memory map", 0x30000000),
    Case("read null", "*(volatile uint32_t *)(uintptr_t)(values[0] & 0);", "read outside the memory map", 0),
    Case("write", "*(volatile uint32_t *)0x60000010u = 1;", "write outside the memory map", 0x60000010),
    Case("flash", "*(volatile uint32_t *)0x08000100u = 1;", "write to flash", 0x08000100),
    Case("fetch", "((void (*)(void))0x30000001u)();", "fetch outside the memory map", 0x30000000),
    Case("execute SRAM", "((void (*)(void))(uintptr_t)(values + 1))();", "execution from SRAM"),
    Case("register", "*(volatile uint32_t *)0xE000E100u = 1;", "write to a register that is not modelled", 0xE000E100),
    Case("undefined", '__asm volatile(".inst.n 0xde00");', "undefined instruction"),
    Case("supervisor call", '__asm volatile("svc 0");', "supervisor call"),
    Case("breakpoint", '__asm volatile("bkpt 0");', "breakpoint"),
]

UNALIGNED = [
    Case("ldrd", _UNALIGNED.format("ldrd %1, %2, [%0]"), "unaligned access", 0x20000001),
    Case("strd", _UNALIGNED.format("strd %1, %2, [%0]"), "unaligned access", 0x20000001),
    Case(
        "ldm",
        _UNALIGNED.format("ldm.w %0!, {r4, r5}").replace('"memory"', '"memory", "r4", "r5"'),
        "unaligned",
        0x20000001,
    ),
    Case(
        "ldm 16 bit",
        'register uint32_t b __asm("r2") = 0x20000001u; __asm volatile("ldmia r2!, {r3}" : "+r"(b) :: "r3");',
        "unaligned",
        0x20000001,
    ),
    Case(
        "stm",
        'register uint32_t b __asm("r2") = 0x20000002u; __asm volatile("stmia r2!, {r3}" : "+r"(b) :: "memory");',
        "unaligned",
        0x20000002,
    ),
]

FLOATING_POINT = [
    Case(
        "vldr",
        'uint32_t b = 0x20000002u; __asm volatile("vldr s0, [%0]" :: "r"(b) : "s0");',
        "unaligned access",
        0x20000002,
    ),
    Case(
        "vldmia",
        'uint32_t b = 0x20000002u; __asm volatile("vldmia %0!, {s0, s1}" : "+r"(b) :: "s0", "s1");',
        "unaligned access",
        0x20000002,
    ),
    Case(
        "FPU off",
        '*(volatile uint32_t *)0xE000ED88u = 0; __asm volatile("isb\\n\\tvadd.f32 s0, s0, s0" ::: "s0");',
        "FPU instruction while the FPU is off",
    ),
]


@pytest.mark.parametrize("case", ACCESSES, ids=lambda case: case.name)
@pytest.mark.parametrize("name", ["nucleo-f303k8", "virt-m0plus", "virt-m7"])
def test_faults_are_reported_with_address_and_symbol(case: Case, name: str, tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match=case.reason) as caught:
        _invoke(load_board(name), tmp_path, case.body, prologue=case.prologue)
    if case.address is not None:
        assert caught.value.address == case.address
    if not case.name.startswith(("fetch", "execute")):
        assert caught.value.symbol.startswith("act")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("case", UNALIGNED, ids=lambda case: case.name)
@pytest.mark.parametrize("name", ["nucleo-f303k8", "virt-m7", "virt-m33"])
def test_multiple_accesses_must_be_aligned(case: Case, name: str, tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match=case.reason) as caught:
        _invoke(load_board(name), tmp_path, case.body)
    assert caught.value.address == case.address
    assert caught.value.symbol.startswith("act")


@pytest.mark.parametrize("case", FLOATING_POINT, ids=lambda case: case.name)
def test_floating_point_checks(case: Case, tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match=case.reason) as caught:
        _invoke(load_board("nucleo-f303k8"), tmp_path, case.body)
    assert caught.value.address == case.address


@pytest.mark.parametrize(
    "body",
    [
        "values[0] = (int8_t)*(volatile uint16_t *)0x20000001u;",
        "values[0] = (int8_t)*(volatile uint32_t *)0x20000002u;",
        _UNALIGNED.format("cmp %1, #1\\n\\tit eq\\n\\tldrdeq %1, %2, [%0]").replace('"memory"', '"memory", "cc"'),
        _UNALIGNED.format("ldr %1, [%0]"),
        '__asm volatile("vadd.f32 s0, s0, s0" ::: "s0");',
        "values[0] = (int8_t)(7 / (volatile int){3});",
    ],
    ids=["halfword", "word", "condition that does not hold", "ldr", "FPU on", "division"],
)
def test_what_a_cortex_m4_allows_passes(body: str, tmp_path: Path) -> None:
    _invoke(load_board("nucleo-f303k8"), tmp_path, body.replace("(volatile int){3}", "(int)(values[0] | 1)"))


def test_a_condition_that_holds_is_checked(tmp_path: Path) -> None:
    body = _UNALIGNED.format("cmp %1, #0; it eq; ldrdeq %1, %2, [%0]").replace('"memory"', '"memory", "cc"')
    with pytest.raises(MachineFault, match="unaligned access"):
        _invoke(load_board("nucleo-f303k8"), tmp_path, body)


@pytest.mark.parametrize(
    "body",
    [
        "add %0, %0, #1; ldrd %1, %2, [%0]",
        "ldrh %1, [%0], #1; ldrd %1, %2, [%0], #8; ldrd %1, %2, [%0]",
        "movs %2, #3; 1: ldr %1, [%0], #4; ldrd %1, r4, [%0], #8; subs %2, #1; it eq; addeq %0, #1; bpl 1b",
        "cmp %0, #0; it ne; addne %0, #2; ldmia.w %0, {r4, r5}",
        "movs %2, #4; add %0, #1; add pc, %2; nop; sub.w %0, %0, #1; ldrd r4, r5, [%0]",
        "adr %1, 1f; add %0, #1; b 1f; .align 2; 1: ldr %1, [%1]; ldrd %1, %2, [%0]",
    ],
    ids=["in its block", "behind a step", "in a loop", "under a condition", "behind a computed jump", "on entry"],
)
def test_a_base_that_gets_its_value_anywhere_is_checked(body: str, tmp_path: Path) -> None:
    code = _UNALIGNED.format(body).replace("0x20000001u", "0x20000000u")
    code = code.replace('"memory"', '"memory", "cc", "r4", "r5"')
    with pytest.raises(MachineFault, match="unaligned access") as caught:
        _invoke(load_board("nucleo-f303k8"), tmp_path, code)
    assert caught.value.symbol.startswith("act")
    assert caught.value.address is not None
    assert caught.value.address % 4


@pytest.mark.parametrize(
    "body",
    [
        "sub %0, #1; ldrd %1, %2, [%0]",
        "movs %2, #3; 1: bic %0, %0, #3; ldrd %1, r4, [%0], #8; subs %2, #1; add %0, #1; bpl 1b",
        "ldr %1, [%0], #3; ldrd %1, %2, [%0]",
    ],
    ids=["in its block", "in a loop", "behind a step"],
)
def test_a_base_that_becomes_aligned_passes(body: str, tmp_path: Path) -> None:
    code = _UNALIGNED.format(body).replace('"memory"', '"memory", "cc", "r4"')
    _invoke(load_board("nucleo-f303k8"), tmp_path, code)


def test_an_fpu_that_is_switched_off_behind_its_last_instruction_passes(tmp_path: Path) -> None:
    body = '__asm volatile("vadd.f32 s0, s0, s0" ::: "s0"); *(volatile uint32_t *)0xE000ED88u = 0;'
    _invoke(load_board("nucleo-f303k8"), tmp_path, body)


@pytest.mark.parametrize(
    "body", ["values[0] = (int8_t)*(volatile uint16_t *)0x20000001u;", "*(volatile uint32_t *)0x20000002u = 1;"]
)
def test_cortex_m0plus_traps_every_unaligned_access(body: str, tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match="unaligned access that this core does not support") as caught:
        _invoke(load_board("virt-m0plus"), tmp_path, body)
    assert caught.value.symbol.startswith("act")


@pytest.mark.parametrize(
    ("core", "code", "extension"),
    [
        ("cortex-m0plus", ".inst.w 0xfbb0f0f1", "Thumb-2"),  # UDIV
        ("cortex-m0plus", ".inst.n 0xb100", "Thumb-2"),  # CBZ
        ("cortex-m3", ".inst.w 0xfb200001", "DSP"),  # SMLAD: the emulator's Cortex-M3 executes it
        ("cortex-m3", ".inst.w 0xfa20f081", "DSP"),  # SXTAB16
        ("cortex-m3", ".inst.w 0xee300a00", "FPU"),  # VADD
        ("cortex-m4", ".inst.w 0xee300a00", "FPU"),
    ],
)
def test_instructions_that_the_core_lacks_are_refused(core: str, code: str, extension: str, tmp_path: Path) -> None:
    board = load_board("virt-m0plus" if core == "cortex-m0plus" else "virt-m4").model_copy(update={"core": CORES[core]})
    firmware = build_body(board, tmp_path, f'(void)values; __asm volatile("{code}");')
    with pytest.raises(MachineFault, match=f"{extension} instruction on {core}") as caught:
        VirtualBoard(board, firmware.elf)
    assert caught.value.symbol.startswith("act")


@pytest.mark.parametrize("name", ["nucleo-f303k8", "virt-m0plus", "virt-m33", "stm32f746g-disco"])
def test_stack_overflow_hits_unmapped_memory(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    prologue = """int deep(int n);
    int deep(int n) { volatile int a[16]; a[0] = n; return a[0] < 0 ? 0 : deep(a[0] + 1) + a[0]; }"""
    with pytest.raises(MachineFault, match="stack overflow") as caught:
        _invoke(board, tmp_path, "values[0] = (int8_t)deep(0);", prologue=prologue)
    assert caught.value.symbol.startswith("deep")
    assert caught.value.address is not None
    assert caught.value.address < board.region(board.layout.stack).address


def test_memory_beyond_a_region_that_fills_no_page_is_outside_the_map(tmp_path: Path) -> None:
    board = load_board("virt-m4")
    regions = tuple(r.model_copy(update={"size_bytes": 20000}) if r.name == "sram" else r for r in board.regions)
    board = board.model_copy(update={"regions": regions})
    _invoke(board, tmp_path / "inside", f"*(volatile uint8_t *){0x20000000 + 19999}u = 1;")
    with pytest.raises(MachineFault, match="write outside the memory map") as caught:
        _invoke(board, tmp_path / "outside", f"*(volatile uint8_t *){0x20000000 + 20000}u = 1;")
    assert caught.value.address == 0x20000000 + 20000


def test_a_firmware_that_hangs_ends_at_the_limit(tmp_path: Path) -> None:
    with pytest.raises(RunLimitError, match=r"no rest after 1000000 instructions; the firmware hangs in act") as caught:
        _invoke(load_board("virt-m4"), tmp_path, "for (;;) { values[0]++; }", limit=1_000_000)
    assert caught.value.exit_code == 3


def test_a_machine_that_stopped_stays_stopped(tmp_path: Path) -> None:
    board = load_board("virt-m4")
    firmware = build_body(board, tmp_path, "(void)values; *(volatile uint32_t *)0x30000000u;")
    device = Device(VirtualBoard(board, firmware.elf))
    for _ in range(2):
        with pytest.raises(MachineFault, match="read outside the memory map"):
            device.run()
