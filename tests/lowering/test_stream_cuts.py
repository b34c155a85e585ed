"""Where segments may begin and end is where lowering lets them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from small_schedules import builder

from tinynas.graph import Graph
from tinynas.lowering import Schedule, StreamError, StreamPlan, lower, stream_cuts
from tinynas.testing import random_int8_graph
from tinynas.testing.layers import random_segments

_NOT_OF_CUTS = ("nothing but padding", "see padding", "read its rows")
"""Complaints that depend on rows a call, or on a layer alone."""


def segments_between_cuts(schedule: Schedule) -> set[tuple[int, int]]:
    return {pair for stretch in stream_cuts(schedule) for pair in itertools.combinations(stretch, 2)}


def segments_that_lower(schedule: Schedule) -> set[tuple[int, int]]:
    return {
        (first, end)
        for first, end in itertools.combinations(range(len(schedule.steps) + 1), 2)
        if _lowers(schedule.graph, first, end)
    }


def _lowers(graph: Graph, first: int, end: int) -> bool:
    try:
        lower(graph, streams=[StreamPlan(first, (1,) * (end - first))])
    except StreamError as error:
        return any(complaint in str(error) for complaint in _NOT_OF_CUTS)
    return True


def test_between_any_two_cuts_of_a_stretch() -> None:
    b = builder()
    x = b.conv_2d(b.input((1, 8, 8, 2)), 4, 3, name="stem")
    x = b.add(x, b.conv_2d(x, 4, 3, name="branch"), name="sum")
    x = b.max_pool_2d(x, 2, name="pool")
    schedule = lower(b.build([b.fully_connected(b.mean(x, name="mean"), 3, name="head")]))
    assert stream_cuts(schedule) == ((0, 1, 3, 4, 5),)
    assert segments_that_lower(schedule) == set(itertools.combinations((0, 1, 3, 4, 5), 2))


@pytest.mark.parametrize("head", ["mean", "pool", "pixels", "reshaped pixels"])
def test_what_adds_all_rows_to_sums_ends_a_stretch(head: str) -> None:
    b = builder()
    x = b.conv_2d(b.input((1, 8, 8, 2)), 4, 3, name="stem")
    if head == "mean":
        x = b.reshape(b.mean(x, name="mean"), (1, 1, 1, 4))
    elif head == "pool":
        x = b.average_pool_2d(x, 8, name="pool")
    else:
        x = b.reshape(b.fully_connected(b.reshape(x, (1, -1)) if "reshaped" in head else x, 8, name="fc"), (1, 2, 2, 2))
    schedule = lower(b.build([b.conv_2d(x, 2, 1, name="classifier")]))
    assert stream_cuts(schedule) == ((0, 1, 2), (2, 3))
    assert segments_that_lower(schedule) == {(0, 1), (0, 2), (1, 2), (2, 3)}


def test_what_adds_to_sums_reads_one_image() -> None:
    """Not the mean of rows alone, nor one row, nor each pixel, nor what lies otherwise than in an image."""
    b = builder()
    image = b.input((1, 8, 8, 4))
    of_rows = lower(b.build([b.mean(image, (1,), name="mean")]))
    b = builder()
    one_row = lower(b.build([b.fully_connected(b.input((1, 1, 8, 4)), 3, name="fc")]))
    b = builder()
    reshaped = lower(b.build([b.mean(b.reshape(b.input((1, 32)), (1, 4, 2, 4)), name="mean")]))
    b = builder()
    vector = lower(b.build([b.fully_connected(b.input((1, 32)), 3, name="fc")]))
    assert [stream_cuts(s) for s in (of_rows, one_row, reshaped, vector)] == [(), (), ((0, 1),), ()]


def test_a_reshape_ends_a_stretch_and_begins_one() -> None:
    b = builder()
    x = b.conv_2d(b.input((1, 8, 8, 2)), 2, 3, name="a")
    x = b.conv_2d(b.reshape(x, (1, 4, 16, 2)), 2, 3, name="b")
    schedule = lower(b.build([b.conv_2d(x, 2, 1, name="c")]))
    assert stream_cuts(schedule) == ((0, 1), (1, 2, 3))


def test_no_cut_where_two_tensors_are_alive() -> None:
    b = builder()
    x, y = b.input((1, 4, 4, 2), "x"), b.input((1, 4, 4, 2), "y")
    schedule = lower(b.build([b.conv_2d(b.add(x, y, name="sum"), 2, 3, name="conv")]))
    assert stream_cuts(schedule) == ((1, 2),)


@pytest.mark.parametrize("seed", range(30))
def test_cuts_are_what_lowering_accepts(seed: int) -> None:
    graph = random_int8_graph(np.random.default_rng(seed), operators=8)
    plain = lower(graph)
    assert segments_between_cuts(plain) == segments_that_lower(plain)


@pytest.mark.parametrize("index", range(20))
def test_cuts_of_chains_and_branches_are_what_lowering_accepts(index: int) -> None:
    plain = lower(random_segments(2, index).schedule.graph)
    assert segments_between_cuts(plain) == segments_that_lower(plain) != set()
