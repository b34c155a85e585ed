"""A network that some choice of kernels and of what lies in place fits is never said not to fit: all are tried here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from tinynas.engine import choose_kernels, choose_schedule
from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.latency import latency_model_path, load_latency_model
from tinynas.lowering import Lowering, Schedule, layers, substitutes, with_variants
from tinynas.memory import NativeMemoryModel, plan_arena
from tinynas.targets import Reserve, load_board

BOARD = load_board("virt-m4")
LOWERING = Lowering.for_core(BOARD.core)
MEMORY = NativeMemoryModel.for_board(BOARD, "zig")
LATENCY = load_latency_model(latency_model_path(BOARD.core.name, "zig"))
FLASH = BOARD.code_region.size_bytes - MEMORY.flash_margin_bytes


def small_network(seed: int) -> Graph:
    """Layers of the kinds whose kernels differ in scratch, in code and in whether they work in place."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("small", DType.INT8)
    x = b.input((1, int(rng.integers(4, 9)), int(rng.integers(4, 9)), int(rng.choice([3, 4, 8]))))
    for layer in range(int(rng.integers(3, 6))):
        kind, name, before = rng.integers(5), f"layer{layer}", x
        channels = b.shape(x)[3]
        if kind == 0:
            x = b.conv_2d(x, int(rng.choice([4, 8])), 3, stride=int(rng.choice([1, 2])), name=name)
        elif kind == 1:
            x = b.depthwise_conv_2d(x, int(rng.choice([3, 5])), stride=int(rng.choice([1, 2])), name=name)
        elif kind == 2:
            x = b.conv_2d(x, int(rng.choice([channels, 2 * channels])), 1, name=name)
        elif kind == 3:
            x = b.add(b.depthwise_conv_2d(x, 3, name=name), before, name=f"{name}.add")
        else:
            x = b.add(b.conv_2d(x, channels, 1, name=name), before, name=f"{name}.add")
    return b.build([x])


def every_choice(graph: Graph) -> Iterator[Schedule]:
    """Every kernel in every layer, with every set of operators in place."""
    whole = LOWERING(graph)
    seen = set()
    can = [step.ops[-1] for step in whole.steps if step.output_buffer in step.input_buffers or step.shrinks]
    for count in range(len(can) + 1):
        for apart in combinations(can, count):
            schedule = replace(LOWERING, apart=frozenset(apart))(graph)
            found = layers(schedule)
            kernels = [[v.name for v in substitutes(schedule, layer)] for layer in found]
            for chosen in product(*kernels):
                variants = {step: name for layer, name in zip(found, chosen, strict=True) for step in layer}
                key = (apart, chosen)
                if key not in seen:
                    seen.add(key)
                    yield with_variants(schedule, variants)


def tight_points(graph: Graph) -> list[tuple[int, int]]:
    """The smallest (arena, flash) pairs in bytes: of all choices, those that no other beats in both."""
    taken = {(plan_arena(s).arena_bytes, MEMORY.flash(s).total_bytes) for s in every_choice(graph)}
    front: list[tuple[int, int]] = []
    for arena, flash in sorted(taken):
        if not front or flash < front[-1][1]:
            front.append((arena, flash))
    return front


# In the first two, kernels of other layers fit flash only if some operator does not work in place.
@pytest.mark.parametrize("seed", [17, 67, 15, 32, 51, 64, 86, 6])
def test_what_some_choice_fits_fits(seed: int) -> None:
    graph = small_network(seed)
    for arena, flash in tight_points(graph):
        reserve = Reserve(sram_bytes=MEMORY.largest_arena() // 8 * 8 - -(-arena // 8) * 8, flash_bytes=FLASH - flash)
        chosen = choose_schedule(graph, LOWERING, MEMORY, LATENCY, reserve, patches=False)
        assert chosen.fits, (arena, flash, chosen.reasons)
        without_ticks = choose_schedule(graph, LOWERING, MEMORY, None, reserve, patches=False)
        assert without_ticks.fits, (arena, flash, without_ticks.reasons)


def test_an_operator_is_kept_apart_behind_patches_too() -> None:
    """In patches alone it misses SRAM or flash: only with the depthwise convolution apart both suffice."""
    b = GraphBuilder("patched", DType.INT8)
    x = b.conv_2d(b.input((1, 16, 16, 4)), 8, 3, name="first")
    x = b.depthwise_conv_2d(b.conv_2d(x, 8, 3, stride=2, name="second"), 5, name="depthwise")
    graph = b.build([b.mean(b.conv_2d(x, 8, 1, name="third"))])
    for arena, flash in ((1920, 6120), (2176, 5800), (2688, 5588)):
        reserve = Reserve(sram_bytes=MEMORY.largest_arena() // 8 * 8 - arena, flash_bytes=FLASH - flash)
        chosen = choose_schedule(graph, LOWERING, MEMORY, LATENCY, reserve, streams=False)
        assert chosen.fits, chosen.reasons
        assert chosen.execution.patches is not None
        assert plan_arena(chosen.schedule).arena_bytes <= arena
        assert MEMORY.flash(chosen.schedule).total_bytes <= flash


def test_what_only_slower_kernels_fit_is_compared_with_operators_apart() -> None:
    graph = small_network(25)
    plain = LOWERING(graph)
    flash = MEMORY.flash(plain).total_bytes - 4
    chosen = choose_schedule(graph, LOWERING, MEMORY, LATENCY, Reserve(flash_bytes=FLASH - flash))
    assert chosen.fits
    assert chosen.first.schedule == choose_kernels(plain, MEMORY, LATENCY, Reserve(flash_bytes=FLASH - flash)).schedule
    assert chosen.extra_ticks is not None
    assert chosen.extra_ticks <= 0
    assert MEMORY.flash(chosen.schedule).total_bytes <= flash
