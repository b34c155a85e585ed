"""Many layers in one image, and one image for one core: a toolchain takes longer to start than to compile a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

from tinynas.boards import Image, Toolchain, read_image
from tinynas.engine import GeneratedModel
from tinynas.kernels import KERNEL_FLAGS
from tinynas.targets import RUNTIME_FLAGS, Core, Region, resource_path
from tinynas.testing.layers._layer import Layer
from tinynas.testing.layers._units import GUARD, external_names, kernel_sources, write_one_unit

_COMPILE_JOBS = 2
_PAGE = 0x1000
_CODE, _CONSTANTS, _SRAM, _STACK = 0x08000000, 0x10000000, 0x20000000, 0x30000000
_CODE_BYTES, _STACK_BYTES = 0x40000, 0x4000

_SCRIPT = """ENTRY(m0_model_invoke)
SECTIONS
{{
  . = {code};
  .text : {{ KEEP(*(.text.m*_model_invoke)) *(.text .text.*) }}
  . = {constants};
  .rodata :
  {{
    . = . + {guard};
{named}
    tn_other_constants_start = .;
    *(.rodata .rodata.*)
    tn_other_constants_end = .;
    . = . + {guard};
    tn_constants_end = .;
  }}
  . = {sram};
  .arena (NOLOAD) : {{ *(.bss.arena) . = ALIGN(4); tn_sram_end = .; }}
  .state : {{ *(.data .data.* .bss .bss.* COMMON) }}
  /DISCARD/ : {{ *(.ARM.exidx* .ARM.extab* .eh_frame*) }}
}}
"""
"""Constants lie apart from the code, guard bytes between them, so that reads beyond an array are seen."""


class StatefulKernelError(Exception):
    """A kernel has variables of its own."""


class LayerImage:
    """Layers, generated and linked for one core.

    Args:
        layers: what to build; layer `i` is called `m<i>_model_invoke`.
        core: for which core.
        toolchain: with which compiler.
        directory: gets everything that is written.
        substitutes: other sources for some kernels, by file name.

    Raises:
        ToolchainError: the compiler refuses something; warnings are errors.
        StatefulKernelError: an image with `.data` or `.bss` beside the arenas.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        core: Core,
        toolchain: Toolchain,
        directory: Path,
        *,
        substitutes: Mapping[str, Path] = MappingProxyType({}),
    ) -> None:
        self.layers = tuple(layers)
        self.core = core
        self.models, unit = write_one_unit([(layer.schedule, layer.plan) for layer in layers], directory)
        objects = _compile(self.models, unit, core, toolchain, directory, substitutes)
        script = directory / "layers.ld"
        script.write_text(_script(self.models), encoding="utf-8")
        self.elf = directory / "layers.elf"
        toolchain.link(core, objects, script, self.elf)
        self.image: Image = read_image(self.elf)
        if ".state" in self.image.sections:
            raise StatefulKernelError(f"{self.elf} has variables beside the arenas: a kernel keeps state")

    @property
    def regions(self) -> tuple[Region, ...]:
        """The memory map: code, constants, arenas and stack, each far from the others."""
        symbols = self.image.symbols
        return (
            Region(name="code", kind="flash", address=_CODE, size_bytes=_CODE_BYTES),
            _region("constants", "flash", _CONSTANTS, symbols["tn_constants_end"].address),
            _region("sram", "sram", _SRAM, symbols["tn_sram_end"].address + GUARD),
            Region(name="stack", kind="sram", address=_STACK, size_bytes=_STACK_BYTES),
        )

    def arena(self, index: int) -> int:
        """Address of the arena of a layer."""
        return self.image.symbols[f"m{index}_model_arena"].address

    def constants(self, index: int) -> list[tuple[int, int]]:
        """Address ranges (first, end) that a layer may read: its own constants, and those of the kernels."""
        symbols, region = self.image.symbols, self.regions[1]
        own = [
            (symbol.address, symbol.address + symbol.size_bytes)
            for name, symbol in symbols.items()
            if name.startswith(f"m{index}_") and region.address <= symbol.address < region.end
        ]
        others = (symbols["tn_other_constants_start"].address, symbols["tn_other_constants_end"].address)
        return [*own, others]


def _region(name: str, kind: str, address: int, end: int) -> Region:
    size = -(-max(end - address, 1) // _PAGE) * _PAGE
    return Region.model_validate({"name": name, "kind": kind, "address": address, "size_bytes": size})


def _compile(
    models: Sequence[GeneratedModel],
    unit: Path,
    core: Core,
    toolchain: Toolchain,
    directory: Path,
    substitutes: Mapping[str, Path],
) -> list[Path]:
    firmware = resource_path("firmware")
    runtime = firmware / "runtime"
    includes = [f"-I{runtime / 'libc'}", f"-I{firmware}"]
    kernels = [substitutes.get(path.name, path) for path in kernel_sources(models)]
    units = [(unit, [*KERNEL_FLAGS, *includes])]
    units += [(path, [*KERNEL_FLAGS, *includes]) for path in kernels]
    units.append((runtime / "aeabi.c", [*RUNTIME_FLAGS, *includes]))
    units.append((runtime / "memory.c", [*RUNTIME_FLAGS, "-fno-builtin", *includes]))

    def compile_one(source: Path, flags: list[str]) -> Path:
        output = directory / f"{source.stem}.o"
        toolchain.compile(core, source, output, flags)
        return output

    with ThreadPoolExecutor(_COMPILE_JOBS) as pool:
        return list(pool.map(lambda each: compile_one(*each), units))


def _script(models: Sequence[GeneratedModel]) -> str:
    """A linker script with guard bytes behind every constant of every model."""
    named = [
        f"    *(.rodata.m{i}_{name}) . = ALIGN(4) + {GUARD};"
        for i, model in enumerate(models)
        for name in external_names(model)
        if name.startswith("model_")
    ]
    return _SCRIPT.format(
        code=hex(_CODE), constants=hex(_CONSTANTS), sram=hex(_SRAM), guard=GUARD, named="\n".join(named)
    )
