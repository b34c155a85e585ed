"""Boards as validated data: one TOML file describes cores, memory regions, layout, serial port and flasher."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from ._cores import CORES, Core
from ._timing import Timing, read_timing


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _core_by_name(value: Any) -> Any:
    if isinstance(value, Core):
        return value
    if value not in CORES:
        raise ValueError(f"unknown core {value!r}; one of {', '.join(CORES)}")
    return CORES[value]


class Region(_Frozen):
    """A contiguous range of memory.

    Attributes:
        name: lower case; becomes the region's name in the linker script.
        kind: "sram" for memory that can be written, "flash" for memory that cannot.
        address: first byte.
        size_bytes: length.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["sram", "flash"]
    address: int = Field(ge=0, lt=2**32)
    size_bytes: int = Field(gt=0)

    @property
    def end(self) -> int:
        """First address behind the region."""
        return self.address + self.size_bytes


class Layout(_Frozen):
    """Which region holds what, and how many bytes the stack gets.

    `code` also holds the constants. The stack lies at the very bottom of its region, so that an overflow leaves
    the region instead of overwriting data: the memory below it must not be mapped.
    """

    code: str
    data: str
    arena: str
    stack: str
    buffers: str
    stack_bytes: int = Field(gt=0, multiple_of=16)  # what follows in the region starts aligned


class Serial(_Frozen):
    """The serial port that the debugger of the board forwards to the host."""

    peripheral: str
    tx: str
    rx: str
    baud: int = Field(default=115200, gt=0)


class Flasher(_Frozen):
    """How firmware gets onto the board: the tool and its name of the chip."""

    tool: Literal["pyocd"]
    target: str


class CyclesPerInstruction(_Frozen):
    """A factor from instructions to cycles, with the measurement it rests on."""

    value: float = Field(gt=0)
    basis: str = Field(min_length=1)


class Reserve(_Frozen):
    """What the user keeps for her own application, in bytes of the regions that hold the arena and the code."""

    sram_bytes: int = Field(default=0, ge=0)
    flash_bytes: int = Field(default=0, ge=0)


class Board(_Frozen):
    """A board: everything that memory models, linker scripts, flashers and the virtual board need to know.

    Attributes:
        hal: folder under `firmware/hal`, or None where no firmware can be built (`host64`).
        clock_hz: the clock the HAL sets up, also what milliseconds are computed with.
        multiply_cycles: of the part's multiplier, where the core leaves a choice (Cortex-M0+), None elsewhere.
        cycles_per_instruction: None unless it was measured. Without it the cycles and milliseconds of a virtual run are
            those of the core's `timing`, a model, and unknown where there is none.
        sources: document and section for every figure in the file.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: str
    mcu: str
    core: Annotated[Core, BeforeValidator(_core_by_name)]
    clock_hz: int = Field(gt=0)
    hal: str | None = None
    regions: tuple[Region, ...] = Field(min_length=1)
    layout: Layout
    multiply_cycles: int | None = None
    serial: Serial | None = None
    flasher: Flasher | None = None
    cycles_per_instruction: CyclesPerInstruction | None = None
    sources: tuple[str, ...] = Field(min_length=1)
    _file: str | None = PrivateAttr(default=None)

    @property
    def argument(self) -> str:
        """What `--board` takes to name it: the path where it came from a file of the user's, else its name."""
        return self.name if self._file is None else self._file

    def region(self, name: str) -> Region:
        """Return the region called `name`. Raises KeyError."""
        for region in self.regions:
            if region.name == name:
                return region
        raise KeyError(name)

    @property
    def arena_region(self) -> Region:
        return self.region(self.layout.arena)

    @property
    def code_region(self) -> Region:
        return self.region(self.layout.code)

    @property
    def sram_bytes(self) -> int:
        """All SRAM, over all regions."""
        return sum(region.size_bytes for region in self.regions if region.kind == "sram")

    @property
    def flash_bytes(self) -> int:
        """All flash, over all regions."""
        return sum(region.size_bytes for region in self.regions if region.kind == "flash")

    @property
    def timing(self) -> Timing | None:
        """The model of the core's cycles; None where Arm publishes none."""
        if self.core.timing is None:
            return None
        timing = read_timing(self.core.timing)
        return timing if self.multiply_cycles is None else timing.with_multiplier(self.multiply_cycles)

    @property
    def is_virtual(self) -> bool:
        """True for boards that exist in the emulator only."""
        return self.hal == "virt"

    @model_validator(mode="after")
    def _check_regions(self) -> Board:
        names = [region.name for region in self.regions]
        if len(set(names)) != len(names):
            raise ValueError(f"two regions share a name: {', '.join(sorted(names))}")
        ordered = sorted(self.regions, key=lambda region: region.address)
        for low, high in pairwise(ordered):
            if low.end > high.address:
                raise ValueError(f"regions {low.name!r} and {high.name!r} overlap")
        kinds = {region.name: region.kind for region in self.regions}
        for role, kind in (
            ("code", "flash"),
            ("data", "sram"),
            ("arena", "sram"),
            ("stack", "sram"),
            ("buffers", "sram"),
        ):
            name = getattr(self.layout, role)
            if name not in kinds:
                raise ValueError(f"layout.{role} names the region {name!r}; the regions are {', '.join(names)}")
            if kinds[name] != kind:
                raise ValueError(f"layout.{role} must be in {kind}, but region {name!r} is {kinds[name]}")
        self._check_multiplier()
        stack = self.region(self.layout.stack)
        if self.layout.stack_bytes > stack.size_bytes:
            raise ValueError(f"layout.stack_bytes is larger than region {stack.name!r} ({stack.size_bytes} bytes)")
        if any(region.end == stack.address for region in self.regions):
            raise ValueError(
                f"layout.stack: the memory below region {stack.name!r} is mapped; an overflow would go unseen"
            )
        return self

    def _check_multiplier(self) -> None:
        choices = () if self.core.timing is None else tuple(read_timing(self.core.timing).multipliers.values())
        if self.multiply_cycles is None and choices:
            raise ValueError(
                f"multiply_cycles is missing: parts with a {self.core.name} multiply in {_either(choices)} cycles"
            )
        if self.multiply_cycles is not None and self.multiply_cycles not in choices:
            offer = f"it is {_either(choices)}" if choices else "there is no choice"
            raise ValueError(f"multiply_cycles = {self.multiply_cycles}: of a {self.core.name} {offer}")


def _either(choices: Sequence[int]) -> str:
    return " or ".join(str(choice) for choice in choices)
