"""The linker in Python: what is kept, where it goes, how deep the stack gets."""

from __future__ import annotations

import pytest

from tinynas.memory import InputSection
from tinynas.memory._image import Image

SECTIONS = (
    InputSection("vectors", "vectors", 64, 4, ("reset",)),
    InputSection("reset", "text", 10, 2, ("main", "table"), 8),
    InputSection("main", "text", 6, 4, ("model_invoke",), 16),
    InputSection("memcpy", "text", 20, 4, (), 0),
    InputSection("conv", "text", 100, 4, ("memcpy",), 120),
    InputSection("pool", "text", 50, 2, (), 40),
    InputSection("table", "rodata", 5, 4),
    InputSection("unused", "rodata", 1000, 4),
)
IMAGE = Image(SECTIONS, "vectors")


@pytest.mark.parametrize(
    ("calls", "text_bytes", "stack"),
    [
        ((), 18, 24 + 8),  # reset 10, main aligned to 12..18
        (("pool",), 18 + 50, 24 + 8 + 40),
        (("conv",), 20 + 20 + 100, 24 + 8 + 120),  # conv brings memcpy
        (("conv", "pool"), 190, 24 + 8 + 120),
    ],
)
def test_what_a_network_reaches_is_kept(calls: tuple[str, ...], text_bytes: int, stack: int) -> None:
    generated = {"model_invoke": calls}
    kept = IMAGE.kept(generated)
    assert "unused" not in kept
    assert IMAGE.layout(kept, "text") == text_bytes
    assert IMAGE.layout(kept, "rodata") == 5
    assert IMAGE.deepest_stack("reset", generated, {"model_invoke": 8}) == stack


def test_layout_starts_where_it_is_told() -> None:
    kept = IMAGE.kept({})
    assert IMAGE.layout(kept, "text", start=65) == 76 + 6  # reset at 66..76, main at 76


def test_recursion_has_no_bound_and_is_refused() -> None:
    loop = Image((InputSection("a", "text", 2, 2, ("b",)), InputSection("b", "text", 2, 2, ("a",))), "a")
    with pytest.raises(RecursionError, match="calls itself"):
        loop.deepest_stack("a", {}, {})
