"""Which member of a front is picked: the best that meets all conditions, and once it is built still does."""

from __future__ import annotations

from typing import Any

import pytest

from tinynas.pipeline.run import (
    Condition,
    Figures,
    Member,
    MemberError,
    PickError,
    figures_of_built,
    pick,
    read_front,
    would_be_built,
)


def entry(genotype: int, score: float, macs: int, fidelity: float = 1.0) -> dict[str, Any]:
    cost = {"latency": 10.0 * macs, "macs": macs, "sram_bytes": 100, "stack_bytes": 9, "flash_bytes": 1000}
    return {"genotype": [genotype], "score": score, "fidelity": fidelity, "cost": cost}


SEARCH = {
    "front": [[1], [2], [3], [4]],
    "entries": [
        entry(3, 0.7, 30),
        entry(1, 0.9, 90),
        entry(1, 0.99, 90, fidelity=0.5),  # a shorter training says less
        entry(5, 0.95, 95),  # too large, so not on the front
        entry(2, 0.8, 60),
        entry(4, 0.8, 50),
    ],
}


def most(figure: str, value: float) -> Condition:
    unit = {"latency": "ticks", "macs": ""}.get(figure, "bytes")
    return Condition(f"{figure}<={value:g}", figure, value, unit)


def test_the_front_is_read_best_first() -> None:
    members = read_front(SEARCH)
    assert [(member.number, member.genotype, member.score) for member in members] == [
        (1, (1,), 0.9),
        (2, (4,), 0.8),
        (3, (2,), 0.8),
        (4, (3,), 0.7),
    ]
    assert [member.figures["latency"] for member in members] == [900.0, 500.0, 600.0, 300.0]
    assert members[0].figures == {"latency": 900.0, "macs": 90, "sram_bytes": 100, "flash_bytes": 1000}


def as_predicted(member: Member) -> Figures:
    return member.figures


@pytest.mark.parametrize(
    ("conditions", "number"),
    [
        ([most("macs", 1000)], 1),
        ([most("macs", 89)], 2),
        ([most("macs", 90)], 1),
        ([most("macs", 55), most("latency", 499)], 4),
        ([most("latency", 600), most("latency", 450)], 4),
    ],
)
def test_the_best_that_meets_all_is_picked(conditions: list[Condition], number: int) -> None:
    assert pick(read_front(SEARCH), conditions, as_predicted).number == number


def test_a_member_that_is_slower_than_predicted_makes_way_for_the_next() -> None:
    built: list[int] = []

    def build(member: Member) -> Figures:
        built.append(member.number)
        return {**member.figures, "latency": (member.figures["latency"] or 0) + (20 if member.number == 2 else 0)}

    assert pick(read_front(SEARCH), [most("latency", 510)], build).number == 4
    assert built == [2, 4]


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([most("macs", 20)], "has macs<=20; the closest of 4 is member 4: macs 30;"),
        # All miss flash by as much.
        (
            [most("latency", 250), most("flash_bytes", 900)],
            "has latency<=250 and flash_bytes<=900; the closest of 4 is member 4: 300 ticks, flash 1,000 bytes;",
        ),
    ],
)
def test_where_none_does_the_closest_is_named(conditions: list[Condition], said: str) -> None:
    with pytest.raises(PickError) as refused:
        pick(read_front(SEARCH), conditions, as_predicted)
    assert said in str(refused.value)


def test_what_was_measured_is_what_the_closest_takes() -> None:
    def build(member: Member) -> Figures:
        return {**member.figures, "latency": 1e9}

    with pytest.raises(PickError, match=r"closest of 4 is member 2: 500 ticks"):
        pick(read_front(SEARCH), [most("latency", 400)], build)


def test_the_figures_of_what_was_built() -> None:
    built = {"ticks": 7, "macs": 1, "sram_bytes": 2, "flash_bytes": 3, "unit": "cycles"}
    assert figures_of_built(built) == {"latency": 7, "macs": 1, "sram_bytes": 2, "flash_bytes": 3}


@pytest.mark.parametrize("known", [True, False])
def test_a_member_that_cannot_be_had_makes_way_and_is_named_where_none_is_left(known: bool) -> None:
    def build(member: Member) -> Figures:
        if member.number == 4 and known:
            return member.figures
        raise MemberError(f"member {member.number} diverged")

    if known:
        assert pick(read_front(SEARCH), [most("macs", 55)], build).number == 4
        return
    with pytest.raises(PickError) as refused:
        pick(read_front(SEARCH), [most("macs", 55)], build)
    assert "the closest of 4 is member 3: macs 60; member 2 diverged; member 4 diverged" in str(refused.value)
    with pytest.raises(PickError, match=r"has macs<=100; member 1 diverged; member 2 diverged; .*; raise the limits"):
        pick(read_front(SEARCH), [most("macs", 100)], build)


@pytest.mark.parametrize(
    ("flash", "known"),
    [
        (None, [77, 7, 7, 7]),
        (2000, [77, 7, 7, 7]),  # the winner keeps to that anyway
        (500, [7, 7, 7, 7]),
    ],
)
def test_a_member_is_known_by_what_would_be_built(flash: float | None, known: list[int]) -> None:
    builds = {(1,): {"ticks": 77, "macs": 1, "sram_bytes": 2, "flash_bytes": 1900}}
    members = read_front(SEARCH)
    found = would_be_built(members, lambda member: {**member.figures, "latency": 7}, builds, flash)
    assert [member.figures["latency"] for member in found] == known
    assert [member.number for member in found] == [1, 2, 3, 4]
