"""What Thumb decoding says of registers and branches, against random instructions as the emulator executes them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from unicorn import UC_ARCH_ARM, UC_HOOK_BLOCK, UC_MODE_THUMB, UC_PROT_EXEC, UC_PROT_READ, Uc, UcError, arm_const

from tinynas.boards.virtual._thumb import Instruction, decode

_FLASH, _RAM, _MIDDLE = 0x08000000, 0x20000000, 0x20020000
_NUMBERS = (*range(13), 14)
_REGISTERS = [getattr(arm_const, f"UC_ARM_REG_R{number}") for number in _NUMBERS]
_SLOT = 16  # bytes of flash for one instruction, the NOPs behind it and a jump to itself


class _Core:
    """Executes single instructions at a place of their own."""

    def __init__(self) -> None:
        self._uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB)
        self._uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M7)
        self._uc.mem_map(_FLASH, 0x100000, UC_PROT_READ | UC_PROT_EXEC)
        self._uc.mem_map(_RAM, 0x40000)
        self._uc.hook_add(UC_HOOK_BLOCK, self._note)
        self._blocks: list[tuple[int, int]] = []
        self._next = _FLASH

    def block_bytes(self, code: bytes) -> int:
        """Bytes of the block that begins with this instruction, followed by NOPs."""
        address = self._place(code)
        self._run(address, address + _SLOT - 2, 0)
        return self._blocks[0][1] if self._blocks else 0

    def execute(self, code: bytes, before: list[int]) -> list[int] | None:
        """The registers after one instruction; None where it cannot be executed."""
        address = self._place(code)
        for register, value in zip(_REGISTERS, before, strict=True):
            self._uc.reg_write(register, value)
        self._uc.reg_write(arm_const.UC_ARM_REG_SP, _MIDDLE)
        if not self._run(address, address + len(code), 1):
            return None
        return [self._uc.reg_read(register) for register in _REGISTERS]

    def _place(self, code: bytes) -> int:
        address, self._next = self._next, self._next + _SLOT
        nops = b"\x00\xbf" * ((_SLOT - 2 - len(code)) // 2)
        self._uc.ctl_remove_cache(address, address + _SLOT)  # a jump may have come by before
        self._uc.mem_write(address, code + nops + b"\xfe\xe7")
        return address

    def _run(self, address: int, until: int, count: int) -> bool:
        self._blocks.clear()
        try:
            self._uc.emu_start(address | 1, until, count=count)
        except UcError:
            return False
        return True

    def _note(self, uc: Any, address: int, size: int, _data: object) -> None:
        self._blocks.append((address, size))
        if len(self._blocks) > 1:
            uc.emu_stop()


def _random_instructions(seed: int, count: int) -> Iterator[tuple[bytes, Instruction]]:
    rng = random.Random(seed)
    while count:
        is_wide = rng.random() < 0.75
        first = rng.choice((0xE800, 0xF000, 0xF800)) | rng.randrange(0x800) if is_wide else rng.randrange(0xE800)
        is_vector = first & 0xFF10 == 0xF900  # NEON, which no Cortex-M has, and the emulator executes
        is_if_then = first & 0xFF00 == 0xBF00 and first & 0xF
        if is_vector or is_if_then:
            continue
        code = first.to_bytes(2, "little") + (rng.randbytes(2) if is_wide else b"")
        yield code, next(decode(code, 0))
        count -= 1


@pytest.mark.parametrize("seed", range(4))
def test_registers_that_keep_their_alignment_do(seed: int) -> None:
    core, rng = _Core(), random.Random(seed)
    kept = executed = 0
    for code, instruction in _random_instructions(seed, 4000):
        if instruction.is_branch:
            continue
        before = [_MIDDLE + rng.randrange(0x800) if rng.random() < 0.8 else rng.randrange(32) for _ in _REGISTERS]
        after = core.execute(code, before)
        if after is None:
            continue
        executed += 1
        claims = [instruction.keeps_alignment(number) for number in _NUMBERS]
        kept += sum(claims)
        changed = [n for n, a, b in zip(_NUMBERS, before, after, strict=True) if (a - b) % 4]
        assert not [number for number in changed if claims[_NUMBERS.index(number)]], code.hex()
    assert executed > 1000
    assert kept > 0.9 * executed * len(_NUMBERS)


def test_blocks_of_the_emulator_end_with_a_branch() -> None:
    core = _Core()
    branches = [(code, instruction) for code, instruction in _random_instructions(9, 8000) if instruction.is_branch]
    assert len(branches) > 500
    for code, instruction in branches:
        assert core.block_bytes(code) == instruction.size_bytes, code.hex()
        for if_then in (b"\x08\xbf", b"\x18\xbf"):  # IT EQ, IT NE: one of them does not branch
            assert core.block_bytes(if_then + code) == len(if_then) + instruction.size_bytes, code.hex()
    assert core.block_bytes(b"\x08\x18") > 2  # ADDS


@pytest.mark.parametrize(
    ("words", "register", "expected"),
    [
        ((0xE8F2, 0x0102), 1, False),  # ldrd r0, r1, [r2], #8
        ((0xE8F4, 0x5602), 4, True),  # ldrd r5, r6, [r4], #8
        ((0xF853, 0x1B04), 3, True),  # ldr r1, [r3], #4
        ((0xF853, 0x1B02), 3, False),  # ldr r1, [r3], #2
        ((0xF103, 0x0310), 3, True),  # add.w r3, r3, #16
        ((0xF103, 0x0312), 3, False),  # add.w r3, r3, #18
        ((0xFB23, 0x6104), 3, True),  # smlad r1, r3, r4, r6
        ((0x3308,), 3, True),  # adds r3, #8
        ((0x3309,), 3, False),
        ((0xC8F0,), 0, True),  # ldmia r0!, {r4-r7}
        ((0xC8F0,), 5, False),
        ((0xEE17, 0x2A10), 2, False),  # vmov r2, s14
        ((0xBD10,), 4, False),  # pop {r4, pc}
    ],
)
def test_what_keeps_a_register_aligned(words: tuple[int, ...], register: int, expected: bool) -> None:
    (instruction,) = decode(b"".join(word.to_bytes(2, "little") for word in words), 0)
    assert instruction.keeps_alignment(register) is expected
