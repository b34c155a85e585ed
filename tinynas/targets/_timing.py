"""Timings of instructions as validated data: one TOML file of `timings/` for each core whose timings Arm publishes."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_FOLDER = Path(__file__).with_name("timings")
_TERM = re.compile(r"\d+|[NPM]")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cost(_Frozen):
    """Cycles of one instruction.

    Attributes:
        cycles: whatever it does.
        per_register: N: more for each register that it transfers.
        refills: P: whether the pipeline is refilled where it branches.
        multiplies: M: whether the part's multiplier is added.
    """

    cycles: int = Field(default=0, ge=0)
    per_register: int = Field(default=0, ge=0)
    refills: bool = False
    multiplies: bool = False


def _cost(value: Any) -> Any:
    """Read what manuals write: "1 + N + P"."""
    if not isinstance(value, str):
        return value
    terms = value.split(" + ")
    letters = [term for term in terms if not term.isdigit()]
    if not all(map(_TERM.fullmatch, terms)) or len(set(letters)) != len(letters):
        raise ValueError(f"{value!r} is no sum of numbers, N, P and M")
    return Cost(
        cycles=sum(int(term) for term in terms if term.isdigit()),
        per_register=int("N" in letters),
        refills="P" in letters,
        multiplies="M" in letters,
    )


_Written = Annotated[Cost, BeforeValidator(_cost)]


class Cycles(_Frozen):
    """Cycles of each class of instructions; None where the core has no such instruction.

    Attributes:
        data: moves, arithmetic, logic, shifts, extensions, bit fields, saturation, parallel arithmetic.
        multiply: MUL.
        multiply_accumulate: MLA, MLS.
        multiply_long: SMULL, UMULL.
        multiply_long_accumulate: SMLAL, UMLAL.
        dsp_multiply: SMLAD, SMMULR, SMLABB, SMLALD, UMAAL and all others of the DSP extension.
        load: a byte, halfword or word.
        load_pc: LDR into PC.
        store: the same with a register offset.
        store_immediate: with an immediate offset.
        load_exclusive, store_exclusive, clear_exclusive: LDREX, STREX, CLREX.
        load_multiple, store_multiple: LDM, POP, LDRD; STM, PUSH, STRD.
        load_multiple_pc: LDM and POP with PC.
        branch, branch_conditional, branch_link: B; B with a condition, CBZ, CBNZ; BL.
        branch_exchange: BX, BLX.
        write_pc: MOV and ADD into PC.
        table_branch: TBB, TBH.
        it: IT.
        special_register, change_state: MRS and MSR; CPS.
        hint, wait: NOP, SEV, YIELD; WFE and WFI, without waiting.
        barrier, instruction_barrier: DMB and DSB; ISB.
        fpu_arithmetic: additions, multiplications, comparisons, conversions, VABS, VNEG.
        fpu_multiply_accumulate: VMLA, VFMA and the like.
        fpu_divide: VDIV, VSQRT.
        fpu_move: VMOV of one register or an immediate.
        fpu_move_pair: VMOV of two core registers.
        fpu_status: VMRS, VMSR.
        fpu_transfer: VLDR, VSTR, VLDM, VSTM, VPUSH, VPOP, by words.
    """

    data: _Written
    multiply: _Written
    multiply_accumulate: _Written | None = None
    multiply_long: _Written | None = None
    multiply_long_accumulate: _Written | None = None
    dsp_multiply: _Written | None = None
    load: _Written
    load_pc: _Written | None = None
    store: _Written
    store_immediate: _Written
    load_exclusive: _Written | None = None
    store_exclusive: _Written | None = None
    clear_exclusive: _Written | None = None
    load_multiple: _Written
    load_multiple_pc: _Written
    store_multiple: _Written
    branch: _Written
    branch_conditional: _Written
    branch_link: _Written
    branch_exchange: _Written
    write_pc: _Written
    table_branch: _Written | None = None
    it: _Written | None = None
    special_register: _Written
    change_state: _Written
    hint: _Written
    wait: _Written
    barrier: _Written
    instruction_barrier: _Written
    fpu_arithmetic: _Written | None = None
    fpu_multiply_accumulate: _Written | None = None
    fpu_divide: _Written | None = None
    fpu_move: _Written | None = None
    fpu_move_pair: _Written | None = None
    fpu_status: _Written | None = None
    fpu_transfer: _Written | None = None


class Division(_Frozen):
    """Cycles of SDIV and UDIV: `least` where the quotient or the divisor is zero, `most` for 32 bits of quotient."""

    least: int = Field(gt=0)
    most: int = Field(gt=0)


class Pipeline(_Frozen):
    """What instructions do to their neighbours, in cycles.

    Attributes:
        refill: P, where a branch is taken.
        loads_pipeline: a load or store right behind a load takes one less, unless the load gives its address.
        base_updates_pipeline: so do loads that write the address back; if not, neither they nor what is behind them.
        it_folds: IT takes none behind a 16-bit instruction.
        address_stall: more for an address that the data processing instruction right before computed.
        fpu_result_stall: more where the instruction right behind uses the result of FPU arithmetic.
        unaligned_halfword: more for a halfword at an odd address.
        unaligned_word_at_halfword, unaligned_word_at_byte: more for a word at an even and at an odd address.
    """

    refill: int = Field(gt=0)
    loads_pipeline: bool = False
    base_updates_pipeline: bool = False
    it_folds: bool = False
    address_stall: int = Field(default=0, ge=0)
    fpu_result_stall: int = Field(default=0, ge=0)
    unaligned_halfword: int = Field(default=0, ge=0)
    unaligned_word_at_halfword: int = Field(default=0, ge=0)
    unaligned_word_at_byte: int = Field(default=0, ge=0)


class Timing(_Frozen):
    """A model of the cycles that a core takes, from Arm's manual.

    Attributes:
        core: as Arm writes it.
        sources: document, sections, tables, pages.
        assumptions: what the model takes for granted where the manual leaves a choice.
        not_modelled: what changes cycles on silicon and is left out.
        cycles: of each class of instructions.
        divide: None where the core does not divide.
        pipeline: between neighbours.
        multipliers: which ones a part may have, with their cycles; empty where there is no choice.
        multiplier: the part's, "" where there is no choice.
    """

    core: str
    sources: tuple[str, ...] = Field(min_length=1)
    assumptions: tuple[str, ...] = Field(min_length=1)
    not_modelled: tuple[str, ...] = Field(min_length=1)
    cycles: Cycles
    divide: Division | None = None
    pipeline: Pipeline
    multipliers: Mapping[str, int] = Field(default_factory=lambda: MappingProxyType({}))
    multiplier: str = ""

    @property
    def basis(self) -> str:
        """What a figure of this model rests on, for whoever reads it."""
        part = f", {self.multiplier}" if self.multiplier else ""
        return f"{self.core} TRM timings{part}, zero wait states (model)"

    def with_multiplier(self, cycles: int) -> Timing:
        """The timing of a part whose multiplication takes so many cycles. Raises ValueError: the core has no such."""
        names = [name for name, value in self.multipliers.items() if value == cycles]
        if not names:
            raise ValueError(f"a {self.core} multiplies in {self._choices()} cycles, not in {cycles}")
        return self.model_copy(
            update={
                "multiplier": names[0],
                "cycles": self.cycles.model_copy(update={"multiply": Cost(cycles=cycles)}),
            }
        )

    def _choices(self) -> str:
        return " or ".join(str(value) for value in self.multipliers.values())


@functools.cache
def read_timing(name: str) -> Timing:
    """Read the timing that a core's record names."""
    return Timing.model_validate(tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8")))
