"""Build a probe network with the real toolchain, keeping what the linker was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from object_sections import ObjectFile, read_object, read_stack_usage

from tinynas.boards import Device, Firmware, Toolchain, VirtualBoard, build_firmware
from tinynas.engine import generate
from tinynas.lowering import Schedule
from tinynas.memory import InputSection, plan_arena
from tinynas.targets import Board, Core


@dataclass(frozen=True)
class LinkedSection:
    """An output section of the image."""

    size_bytes: int
    alignment: int


@dataclass(frozen=True)
class Probe:
    """A network, built.

    Attributes:
        schedule: What was generated.
        arena_bytes: Its planned arena.
        firmware: The linked image's measures.
        runtime_objects: Objects of runtime and HAL, in link order.
        kernel_objects: Objects of the kernels, in link order.
        generated: Functions of the generated code by name, requirements unresolved.
        generated_constants: Sections of constants in the generated code.
        sections: Output sections of the image.
        stack_used_bytes: What the device painted over; None where it did not run.
    """

    schedule: Schedule
    arena_bytes: int
    firmware: Firmware
    runtime_objects: tuple[ObjectFile, ...]
    kernel_objects: tuple[ObjectFile, ...]
    generated: Mapping[str, InputSection]
    generated_constants: tuple[InputSection, ...]
    sections: Mapping[str, LinkedSection]
    stack_used_bytes: int | None


class RecordingToolchain:
    """A toolchain that notes what it compiled and linked, and has stack frames written."""

    def __init__(self, inner: Toolchain) -> None:
        self._inner = inner
        self.sources: dict[str, str] = {}
        self.frames: dict[str, dict[str, int]] = {}
        self.linked: list[Path] = []

    @property
    def name(self) -> str:
        return self._inner.name

    def version(self) -> str:
        return self._inner.version()

    def compile(self, core: Core, source: Path, output: Path, flags: Sequence[str]) -> None:
        extra = ["-fstack-size-section" if self.name == "zig" else "-fstack-usage"]
        self._inner.compile(core, source, output, [*flags, *extra])
        self.sources[output.name] = source.name + (":profile" if "-DTN_PROFILE" in flags else "")
        usage = output.with_suffix(".su")
        if usage.is_file():
            self.frames[output.name] = read_stack_usage(usage.read_text(encoding="utf-8"))

    def link(self, core: Core, objects: Sequence[Path], script: Path, output: Path) -> None:
        self.linked = list(objects)
        self._inner.link(core, objects, script, output)


def build_probe(board: Board, schedule: Schedule, toolchain: RecordingToolchain, folder: Path, *, run: bool) -> Probe:
    """Generate, build and, if asked, run a network once on the virtual board. Objects are cached in `folder`."""
    model = generate(schedule, plan_arena(schedule), folder / "model")
    firmware = build_firmware(
        board, folder / "model", model.kernel_sources, toolchain, folder / "out", cache=folder / "cache"
    )
    objects = [
        read_object(path, toolchain.sources[path.name], toolchain.frames.get(path.name)) for path in toolchain.linked
    ]
    kernels = {path.name for path in model.kernel_sources}
    generated_sources = {path.name for path in model.sources} | {"model.c:profile"}
    return Probe(
        schedule=schedule,
        arena_bytes=model.arena_bytes,
        firmware=firmware,
        runtime_objects=tuple(o for o in objects if o.source not in kernels | generated_sources),
        kernel_objects=tuple(o for o in objects if o.source in kernels),
        generated={
            section.name.rsplit(".", 1)[-1]: section
            for o in objects
            if o.source in generated_sources
            for section in o.sections
            if section.output == "text"
        },
        generated_constants=tuple(
            section
            for o in objects
            if o.source in generated_sources
            for section in o.sections
            if section.output == "rodata"
        ),
        sections=_linked_sections(firmware.elf),
        stack_used_bytes=_stack_used(board, firmware.elf) if run else None,
    )


def _linked_sections(path: Path) -> dict[str, LinkedSection]:
    with path.open("rb") as stream:
        return {s.name: LinkedSection(s["sh_size"], max(1, s["sh_addralign"])) for s in ELFFile(stream).iter_sections()}


def _stack_used(board: Board, elf: Path) -> int:
    """Run the network once, profiled and not, with the serial link doing all it can, and ask for the paint."""
    transport = VirtualBoard(board, elf)
    device = Device(transport)
    device.infer(bytes(device.hello().input_bytes))
    device.profile()
    used = device.memory().stack_used_bytes
    transport.close()
    return used
