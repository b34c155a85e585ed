"""The choice of kernels under a limit on flash, against every choice there is."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.engine._knapsack import Option, choose_options

CODE = {"a": 40, "b": 100, "c": 24, "d": 300}


def _room(flash: int):
    """Kernels share `helper` bytes, as real ones do: code is a union, not a sum."""

    def room(variants: frozenset[str]) -> int:
        helper = 64 if variants & {"b", "c"} else 0
        return flash - helper - sum(CODE[v] for v in variants)

    return room


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[list[Option]], int]:
    layers = []
    for _ in range(draw(st.integers(0, 5))):
        names = draw(st.lists(st.sampled_from(sorted(CODE)), min_size=1, max_size=4, unique=True))
        layers.append(
            [Option(n, draw(st.integers(0, 30)), draw(st.sampled_from([0, 4, 8, 40, 64, 100, 256]))) for n in names]
        )
    return layers, draw(st.integers(0, 1200))


def _best(layers: list[list[Option]], flash: int) -> tuple[int, int] | None:
    """Ticks and flash of the best of all choices."""
    room = _room(flash)
    found = []
    for choice in product(*layers):
        left = room(frozenset(o.variant for o in choice)) - sum(o.constant_bytes for o in choice)
        if left >= 0:
            found.append((sum(o.ticks for o in choice), flash - left))
    return min(found, default=None)


@settings(max_examples=400, deadline=None)
@given(problems())
def test_no_choice_is_better(problem: tuple[list[list[Option]], int]) -> None:
    layers, flash = problem
    choice = choose_options(layers, _room(flash))
    best = _best(layers, flash)
    if choice is None:
        assert best is None
        return
    taken = [layer[o] for layer, o in zip(layers, choice.options, strict=True)]
    left = _room(flash)(frozenset(o.variant for o in taken)) - sum(o.constant_bytes for o in taken)
    assert (choice.ticks, flash - left) == best
    assert choice.bound == choice.ticks == sum(o.ticks for o in taken)


@settings(max_examples=200, deadline=None)
@given(problems(), st.integers(1, 4))
def test_cut_short_it_fits_and_states_a_true_bound(problem: tuple[list[list[Option]], int], nodes: int) -> None:
    layers, flash = problem
    choice = choose_options(layers, _room(flash), nodes)
    best = _best(layers, flash)
    if choice is None:
        assert best is None
        return
    assert best is not None
    assert choice.bound <= best[0] <= choice.ticks
    taken = [layer[o] for layer, o in zip(layers, choice.options, strict=True)]
    assert sum(o.constant_bytes for o in taken) <= _room(flash)(frozenset(o.variant for o in taken))


@pytest.mark.parametrize(
    ("flash", "chosen"),
    [
        (1000, "cc"),  # room for everything: the fastest
        (200, "cc"),  # 24 bytes of code, 64 of what it calls, and 56 of constants twice
        (199, "ca"),  # 24 + 64 + 40 and 56 once
        (183, "aa"),
        (39, None),
    ],
)
def test_code_is_paid_once(flash: int, chosen: str | None) -> None:
    layer = [Option("a", 10, 0), Option("c", 4, 56)]
    choice = choose_options([layer, layer], _room(flash))
    assert (None if choice is None else "".join(layer[o].variant for o in choice.options)) == chosen


def test_what_buys_nothing_is_not_linked() -> None:
    """`a` is needed by the first layer; on the second it is as fast as the larger `d`."""
    layers = [[Option("a", 9, 8)], [Option("d", 5, 8), Option("a", 5, 8)]]
    choice = choose_options(layers, _room(10_000))
    assert choice is not None
    assert choice.options == (0, 1)


def test_256_layers_under_a_tight_limit_take_a_moment() -> None:
    layers = [
        [
            Option("a", 5000 + 37 * i % 900, 400),
            Option("b", 3000 + 53 * i % 700, 400 + 8 * (i % 90)),
            Option("d", 2500, 2000),
        ]
        for i in range(256)
    ]
    choice = choose_options(layers, _room(256 * 500))
    assert choice is not None
    assert choice.bound == choice.ticks
