"""The memory model of our engine: what the linker will say, without compiling anything."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tinynas.lowering import Schedule
from tinynas.memory._block_cost import BlockCost, block_cost, combine
from tinynas.memory._firmware_layout import ARENA_END_ALIGNMENT, CONSTANTS_ALIGNMENT, FirmwareLayout
from tinynas.memory._model_files import (
    KernelMemory,
    MemoryModelFileError,
    MissingMemoryModelError,
    RuntimeMemory,
    kernel_memory_path,
    load_kernel_memory,
    load_runtime_memory,
    runtime_memory_path,
    warn_if_stale,
)
from tinynas.memory._usage import FlashUsage, RegionUsage, SramUsage, Verdict
from tinynas.targets import Board, Reserve


class NativeMemoryModel:
    """SRAM and flash of our engine on one board, from sizes measured in object files.

    The arena is the firmware's own plan; static data and code are laid out as the linker does, from the sections of
    the firmware's object files; every step adds the same few bytes of calls. The stack is the deepest path of calls
    with the frames that the compiler reports.
    """

    def __init__(
        self, board: Board, runtime: RuntimeMemory, kernels: KernelMemory, *, other_compiler: bool = False
    ) -> None:
        if runtime.core != board.core.name or kernels.core != board.core.name:
            raise MemoryModelFileError(
                f"memory models for {runtime.core} and {kernels.core} do not describe {board.name} ({board.core.name})"
            )
        self.board = board
        self.toolchain = kernels.toolchain
        self.other_compiler = other_compiler
        """Whether code will be compiled by another one than was measured: sizes are estimates then."""
        self._layout = FirmwareLayout(board, runtime, kernels)

    @classmethod
    def for_board(
        cls, board: Board, toolchain: str = "zig", *, compiler: str | None = None, folder: Path | None = None
    ) -> NativeMemoryModel:
        """Load the fitted model that ships for a board's core and HAL.

        Args:
            board: The board.
            toolchain: "zig" or "gcc".
            compiler: Name and version of the compiler that will be used (`Toolchain.version()`), to notice a model
                that was fitted with another one.
            folder: Where the models lie; the ones that ship with the package by default.

        Raises:
            MissingMemoryModelError: There is none; the message says how to make it.
        """
        if board.hal is None:
            raise MissingMemoryModelError(f"board {board.name} has no firmware: our engine cannot run on it")
        kernels_path = kernel_memory_path(board.core.name, toolchain, folder)
        runtime_path = runtime_memory_path(board.hal, board.core.name, toolchain, folder)
        kernels = load_kernel_memory(kernels_path, board.argument)
        runtime = load_runtime_memory(runtime_path, board.argument)
        warn_if_stale(kernels, kernels_path, board, compiler)
        warn_if_stale(runtime, runtime_path, board, compiler)
        fitted = {memory.provenance.get("compiler") for memory in (runtime, kernels)}
        return cls(board, runtime, kernels, other_compiler=compiler is not None and fitted != {compiler})

    def block_cost(self, schedule: Schedule) -> BlockCost:
        """The cost of a block, or a network, in figures that combine: cache it by the block's signature."""
        return block_cost(schedule)

    def sram(self, schedule: Schedule, reserve: Reserve | None = None) -> SramUsage:
        """SRAM of a network, exact to the byte but for the stack, which is an upper bound."""
        return self.sram_of(block_cost(schedule), reserve)

    def flash(self, schedule: Schedule, reserve: Reserve | None = None) -> FlashUsage:
        """Flash of a network, as linked."""
        return self.flash_of(block_cost(schedule), reserve)

    def fits(self, schedule: Schedule, reserve: Reserve | None = None) -> Verdict:
        """Whether a network fits the board beside what the user reserves."""
        return self.verdict((block_cost(schedule),), reserve)

    def sram_of(self, cost: BlockCost, reserve: Reserve | None = None) -> SramUsage:
        """As `sram`, for the combined cost of a network's blocks."""
        self._require_known(cost)
        stack = self._layout.stack_bytes(frozenset(cost.steps), cost.streamed)
        padding = -cost.arena_bytes % ARENA_END_ALIGNMENT
        runtime = self._layout.static_runtime_bytes + padding
        return SramUsage(
            arena_bytes=cost.arena_bytes,
            arena_lower_bound_bytes=cost.arena_lower_bound_bytes,
            persistent_bytes=0,
            runtime_bytes=runtime,
            stack_bytes=stack,
            total_bytes=cost.arena_bytes + runtime + stack,
            regions=self._regions(self._layout.sram_used(cost.arena_bytes), reserve),
        )

    def flash_of(self, cost: BlockCost, reserve: Reserve | None = None) -> FlashUsage:
        """As `flash`, for the combined cost of a network's blocks."""
        self._require_known(cost)
        total = self._flash_bytes(cost)
        return FlashUsage(
            weights_bytes=cost.constant_bytes,
            code_bytes=total - cost.constant_bytes,
            total_bytes=total,
            regions=self._regions({self.board.layout.code: total}, reserve),
        )

    def unknown_variants(self, variants: frozenset[str]) -> frozenset[str]:
        """Those that the model has no code for."""
        return frozenset(self._layout.unknown_variants(variants))

    def room_for_constants(self, variants: frozenset[str], calls: int, reserve: Reserve | None = None) -> int:
        """The most bytes of constants, in whole words, that `fits` accepts beside the code of some kernels.

        It depends on the set of kernels alone, and never grows with it: what is linked only ever moves up. Negative
        where their code or their stack is too much by itself.

        Args:
            variants: The kernels that are linked, all known.
            calls: Steps of the network.
            reserve: What the user keeps for herself.
        """
        layout = self.board.layout
        available = self.board.code_region.size_bytes - self.flash_margin_bytes
        available -= 0 if reserve is None else reserve.flash_bytes
        if self._layout.stack_bytes(variants) > layout.stack_bytes:
            return -1
        room = (available - self._layout.flash_bytes(variants, calls, 0)) // CONSTANTS_ALIGNMENT * CONSTANTS_ALIGNMENT
        # What lies behind the constants may be aligned more than they are.
        while self._layout.flash_bytes(variants, calls, room + CONSTANTS_ALIGNMENT) <= available:
            room += CONSTANTS_ALIGNMENT
        while room >= 0 and self._layout.flash_bytes(variants, calls, room) > available:
            room -= CONSTANTS_ALIGNMENT
        return room

    @property
    def flash_margin_bytes(self) -> int:
        """The room that `fits` leaves in flash, because the model may be off by so much."""
        return self._layout.flash_margin_bytes

    def largest_arena(self, reserve: Reserve | None = None) -> int:
        """The largest arena with which no SRAM region overflows; -1 where not even an empty one fits."""
        fits, overflows = -1, self.board.arena_region.size_bytes + 1
        while overflows - fits > 1:
            arena = (fits + overflows) // 2
            regions = self._regions(self._layout.sram_used(arena), reserve)
            if all(region.used_bytes <= region.available_bytes for region in regions):
                fits = arena
            else:
                overflows = arena
        return fits

    def verdict(self, costs: Iterable[BlockCost], reserve: Reserve | None = None) -> Verdict:
        """As `fits`, for a chain of blocks whose costs are known: some microseconds per block.

        What is said to fit links: flash is counted with the largest error that a probe network showed.
        """
        cost = combine(costs)
        unknown = self._layout.unknown_variants(frozenset(cost.steps))
        if unknown:
            return Verdict(None, (f"the memory model has no code for {', '.join(unknown)}: regenerate it",), ())
        used = self._layout.sram_used(cost.arena_bytes)
        used[self.board.layout.code] = self._flash_bytes(cost)
        regions = self._regions(used, reserve)
        margin = self._layout.flash_margin_bytes
        reasons = [reason for r in regions if (reason := self._shortage(r, margin))]
        stack = self._layout.stack_bytes(frozenset(cost.steps), cost.streamed)
        if stack > self.board.layout.stack_bytes:
            reasons.append(
                f"the stack needs up to {stack:,} bytes and {self.board.layout.stack_bytes:,} are set aside for it"
            )
        return Verdict(not reasons, tuple(reasons), regions)

    def _shortage(self, region: RegionUsage, margin: int) -> str | None:
        """Why a region is too small, or None. `margin` is how far flash may be off, in bytes."""
        missing = region.used_bytes - region.available_bytes
        needs = f"region {region.name!r} ({region.kind}) has {region.available_bytes:,} bytes and needs"
        if missing > 0:
            return f"{needs} {region.used_bytes:,}: {missing:,} too few"
        if region.name == self.board.layout.code and missing + margin > 0:
            return f"{needs} {region.used_bytes:,} give or take {margin}: too close to tell without linking"
        return None

    def _flash_bytes(self, cost: BlockCost) -> int:
        return self._layout.flash_bytes(frozenset(cost.steps), sum(cost.steps.values()), cost.constant_bytes)

    def _require_known(self, cost: BlockCost) -> None:
        unknown = self._layout.unknown_variants(frozenset(cost.steps))
        if unknown:
            raise MissingMemoryModelError(
                f"the memory model of {self.board.core.name} has no code for {', '.join(unknown)}: "
                f"run tools/regenerate_memory_model.py --board {self.board.argument} "
                f"--toolchain {self.toolchain} --virtual"
            )

    def _regions(self, used: dict[str, int], reserve: Reserve | None) -> tuple[RegionUsage, ...]:
        reserved = dict.fromkeys(used, 0)
        if reserve is not None:
            layout = self.board.layout
            for name, size in ((layout.arena, reserve.sram_bytes), (layout.code, reserve.flash_bytes)):
                if name in reserved:
                    reserved[name] += size
        return tuple(
            RegionUsage(r.name, r.kind, used[r.name], r.size_bytes - reserved[r.name])
            for r in self.board.regions
            if r.name in used
        )
