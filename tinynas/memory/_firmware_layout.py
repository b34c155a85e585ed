"""Where the linker puts things: firmware/linker/firmware.ld.j2 in Python, over fitted sections."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.kernels.streaming import SEGMENTS
from tinynas.memory._image import Image
from tinynas.memory._live_ranges import align
from tinynas.memory._model_files import KernelMemory, RuntimeMemory
from tinynas.targets import Board

ARENA_END_ALIGNMENT = 8
"""The linker script ends the arena at a multiple of 8."""

CONSTANTS_ALIGNMENT = 4
"""Generated constants are whole words, aligned to words."""


@dataclass(frozen=True)
class _Code:
    """What depends on the sets of kernel variants only."""

    text_end: int
    rodata_bytes: int
    data_bytes: int
    stack_bytes: int


class FirmwareLayout:
    """The image of any network on one board."""

    def __init__(self, board: Board, runtime: RuntimeMemory, kernels: KernelMemory) -> None:
        self._board = board
        self._runtime = runtime
        self._kernels = kernels
        # Link order: runtime, HAL, kernels, generated model (tinynas.boards.build_firmware).
        self._image = Image((*runtime.sections, *kernels.sections), runtime.entry)
        self._code: dict[tuple[frozenset[str], frozenset[str]], _Code] = {}

    def unknown_variants(self, variants: frozenset[str]) -> list[str]:
        """Variants that the fitted model has no code for."""
        return sorted(variants - set(self._kernels.entry_of))

    def flash_bytes(self, variants: frozenset[str], calls: int, constant_bytes: int) -> int:
        """From the first byte of the code region to the last one used."""
        code = self._of(variants, variants - SEGMENTS)
        end = code.text_end
        for function in self._kernels.generated_for(variants):
            end = align(end, function.alignment) + function.base_bytes + function.step_bytes * calls
        end = align(end, CONSTANTS_ALIGNMENT) + code.rodata_bytes + constant_bytes
        return align(end, self._runtime.data_alignment) + code.data_bytes

    @property
    def flash_margin_bytes(self) -> int:
        """How far `flash_bytes` may be off, by the probe networks."""
        kinds = (self._kernels.generated, self._kernels.pushed)
        return max(sum(function.error_bytes for function in kind) for kind in kinds)

    def stack_bytes(self, variants: frozenset[str], streamed: frozenset[str] | None = None) -> int:
        """The deepest the stack gets.

        Args:
            variants: All kernels.
            streamed: Those that segments call; without it, all may be.
        """
        return self._of(variants, variants - SEGMENTS if streamed is None else streamed).stack_bytes

    @property
    def static_runtime_bytes(self) -> int:
        """.data, .bss and the serial buffer."""
        r = self._runtime
        return r.data_bytes + r.bss_bytes + r.buffers_bytes

    def sram_used(self, arena_bytes: int) -> dict[str, int]:
        """Bytes of each SRAM region from its first to the last one used, the whole stack area included."""
        layout, r = self._board.layout, self._runtime
        sections = (
            (layout.stack, layout.stack_bytes, 1),
            (layout.buffers, r.buffers_bytes, r.buffers_alignment),
            (layout.arena, align(arena_bytes, ARENA_END_ALIGNMENT), self._kernels.arena_alignment),
            (layout.data, r.data_bytes, r.data_alignment),
            (layout.data, r.bss_bytes, r.bss_alignment),
        )
        used = {region.name: 0 for region in self._board.regions if region.kind == "sram"}
        for region, size, alignment in sections:
            if size:
                used[region] = align(used[region], alignment) + size
        return used

    def _of(self, variants: frozenset[str], streamed: frozenset[str]) -> _Code:
        code = self._code.get((variants, streamed))
        if code is None:
            code = self._code[variants, streamed] = self._lay_out(variants, streamed)
        return code

    def _lay_out(self, variants: frozenset[str], streamed: frozenset[str]) -> _Code:
        generated = self._kernels.calls(variants, streamed)
        frames = {f.name: f.frame_bytes for f in self._kernels.generated_for(variants)}
        kept = self._image.kept(generated)
        vectors = self._image.layout(kept, "vectors")
        return _Code(
            text_end=self._image.layout(kept, "text", vectors),
            rodata_bytes=self._image.layout(kept, "rodata"),
            data_bytes=self._image.layout(kept, "data"),
            stack_bytes=align(self._image.deepest_stack(self._runtime.stack_root, generated, frames), 4),
        )
