"""Thumb decoding, against encodings that LLVM's assembler wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinynas.boards import ZigToolchain, read_image
from tinynas.boards.virtual._thumb import ALWAYS, Instruction, decode
from tinynas.targets import CORES

# assembly, extension, register that must be aligned
TABLE: list[tuple[str, str | None, int | None]] = [
    ("adds r0, r1, r2", None, None),
    ("bl .", None, None),
    ("dmb sy", None, None),
    ("mrs r0, primask", None, None),
    ("msr primask, r0", None, None),
    ("udf.w #1", None, None),
    ("ldmia r3!, {r0, r1}", None, 3),
    ("stmia r6!, {r0}", None, 6),
    ("push {r4, lr}", None, None),
    ("add.w r8, r9, r10", "Thumb-2", None),
    ("udiv r0, r1, r2", "Thumb-2", None),
    ("sdiv r0, r1, r2", "Thumb-2", None),
    ("mla r0, r1, r2, r3", "Thumb-2", None),
    ("mls r0, r1, r2, r3", "Thumb-2", None),
    ("smull r0, r1, r2, r3", "Thumb-2", None),
    ("smlal r0, r1, r2, r3", "Thumb-2", None),
    ("umlal r0, r1, r2, r3", "Thumb-2", None),
    ("clz r0, r1", "Thumb-2", None),
    ("rbit r0, r1", "Thumb-2", None),
    ("rev.w r8, r9", "Thumb-2", None),
    ("sxtb.w r8, r9", "Thumb-2", None),
    ("uxth.w r8, r9", "Thumb-2", None),
    ("ssat r0, #8, r1", "Thumb-2", None),
    ("usat r0, #8, r1, asr #3", "Thumb-2", None),
    ("movw r0, #4660", "Thumb-2", None),
    ("ldr.w r0, [r1, #5]", "Thumb-2", None),
    ("ldrd r0, r1, [r2, #8]", "Thumb-2", 2),
    ("strd r0, r1, [r7], #8", "Thumb-2", 7),
    ("ldrd r0, r1, [sp, #8]", "Thumb-2", None),
    ("ldm.w r8, {r0, r9}", "Thumb-2", 8),
    ("stmdb r4!, {r0, r9}", "Thumb-2", 4),
    ("ldrex r0, [r3]", "Thumb-2", 3),
    ("strex r0, r1, [r5]", "Thumb-2", 5),
    ("ldrexb r0, [r3]", "Thumb-2", None),
    ("tbb [r0, r1]", "Thumb-2", None),
    ("smlad r0, r1, r2, r3", "DSP", None),
    ("smuad r0, r1, r2", "DSP", None),
    ("smlabb r0, r1, r2, r3", "DSP", None),
    ("smulwb r0, r1, r2", "DSP", None),
    ("smmulr r0, r1, r2", "DSP", None),
    ("smlald r0, r1, r2, r3", "DSP", None),
    ("smlalbb r0, r1, r2, r3", "DSP", None),
    ("umaal r0, r1, r2, r3", "DSP", None),
    ("sxtb16 r0, r1", "DSP", None),
    ("sxtab16 r0, r1, r2", "DSP", None),
    ("uxtab r0, r1, r2", "DSP", None),
    ("sadd16 r0, r1, r2", "DSP", None),
    ("uqsub8 r0, r1, r2", "DSP", None),
    ("sel r0, r1, r2", "DSP", None),
    ("qadd r0, r1, r2", "DSP", None),
    ("pkhbt r0, r1, r2", "DSP", None),
    ("ssat16 r0, #8, r1", "DSP", None),
    ("usad8 r0, r1, r2", "DSP", None),
    ("vadd.f32 s0, s1, s2", "FPU", None),
    ("vldr s0, [r3, #4]", "FPU", 3),
    ("vstr d0, [r4]", "FPU", 4),
    ("vldmia r5!, {s0, s1}", "FPU", 5),
    ("vpush {d8}", "FPU", None),
    ("vmov r0, r1, d0", "FPU", None),
    ("vmov s0, r0", "FPU", None),
    ("vcvt.s32.f32 s0, s0", "FPU", None),
]


@pytest.fixture(scope="module")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> list[Instruction]:
    """Every line of TABLE behind a nop of its own, so that no IT block or literal gets in the way."""
    folder = tmp_path_factory.mktemp("assembly")
    lines = "\\n\\t".join(f"nop\\n\\t{assembly}" for assembly, _, _ in TABLE)
    source = folder / "table.c"
    source.write_text(f'__asm__(".syntax unified\\n\\t.thumb\\n\\t.text\\n\\t{lines}\\n");\n', encoding="utf-8")
    ZigToolchain().compile(CORES["cortex-m7"], source, folder / "table.o", ["-O2"])
    (text,) = [s for s in _sections(folder / "table.o") if s[0] == ".text"]
    return [instruction for instruction in decode(text[1], 0) if instruction.first != 0xBF00]


def _sections(path: Path) -> list[tuple[str, bytes]]:
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        return [(section.name, section.data()) for section in ELFFile(stream).iter_sections()]


@pytest.mark.parametrize("index", range(len(TABLE)), ids=[row[0] for row in TABLE])
def test_extension_and_alignment(decoded: list[Instruction], index: int) -> None:
    assert len(decoded) == len(TABLE)
    _, extension, base = TABLE[index]
    assert decoded[index].extension == extension
    assert decoded[index].aligned_base == base


@pytest.mark.parametrize(
    ("halfword", "conditions"),
    [
        (0xBF08, [0]),  # it eq
        (0xBF0C, [0, 1]),  # ite eq
        (0xBF04, [0, 0]),  # itt eq
        (0xBFC1, [12, 12, 12, 12]),  # itttt gt
        (0xBFDF, [13, 13, 13, 13]),  # itttt le
        (0xBFD1, [13, 12, 12, 12]),  # iteee le
        (0xBF16, [1, 0, 1]),  # itet ne
        (0xBF12, [1, 0, 0]),  # itee ne
        (0xBF1A, [1, 1, 0]),  # itte ne
    ],
)
def test_conditions_of_it_blocks(halfword: int, conditions: list[int]) -> None:
    code = b"".join(word.to_bytes(2, "little") for word in (halfword, *[0xBF00] * 6))
    assert [i.condition for i in decode(code, 0)] == [ALWAYS, *conditions, *[ALWAYS] * (6 - len(conditions))]


def test_calls_and_jumps() -> None:
    code = b"".join(w.to_bytes(2, "little") for w in (0xF000, 0xF801, 0x4798, 0xF000, 0xB801, 0xE001, 0x4718, 0x4770))
    kinds = [(i.is_call, i.is_jump) for i in decode(code, 0)]
    assert kinds == [(True, False), (True, False), (False, True), (False, True), (False, True), (False, False)]


def test_code_ranges_leave_literal_pools_out(tmp_path: Path) -> None:
    from small_models import build_body

    from tinynas.targets import load_board

    board = load_board("virt-m0plus")
    firmware = build_body(board, tmp_path, "values[0] = (int8_t)(*(volatile uint32_t *)0x20001234u);")
    image = read_image(firmware.elf)
    covered = sum(end - start for start, end in image.code_ranges)
    assert 0 < covered < image.sections[".text"].size_bytes
    assert all(a[1] <= b[0] for a, b in zip(image.code_ranges, image.code_ranges[1:], strict=False))
