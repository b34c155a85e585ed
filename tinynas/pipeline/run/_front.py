"""The Pareto front of a run, and which of its members meets conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinynas.errors import UsageError
from tinynas.pipeline.run._conditions import Condition
from tinynas.spaces import Genotype

Figures = Mapping[str, float | None]
"""Of a network: `latency` (ticks), `macs`, `sram_bytes` and `flash_bytes`; None where one is not known."""


class PickError(UsageError):
    """A run has no front, or no member of it meets the conditions."""


class MemberError(PickError):
    """A member cannot be had: its training diverged, or it does not link under the limit on flash."""


@dataclass(frozen=True)
class Member:
    """A network on the front.

    Attributes:
        number: its place on the front, from 1, the best score first.
        genotype: what it is.
        score: what the evaluator of the search said.
        figures: as the search predicted them last, with the kernels of the local rule.
    """

    number: int
    genotype: Genotype
    score: float
    figures: Figures


def read_front(search: Mapping[str, Any]) -> list[Member]:
    """The members, best score first; of equal scores, the fewest MACs.

    Args:
        search: the content of `search.json`.
    """
    front = {tuple(genotype) for genotype in search["front"]}
    found: dict[Genotype, tuple[float, dict[str, float | None]]] = {}
    for entry in search["entries"]:
        genotype = tuple(entry["genotype"])
        if genotype in front and entry["fidelity"] == 1:
            cost = entry["cost"]
            figures = {name: cost[name] for name in ("latency", "macs", "sram_bytes", "flash_bytes")}
            found[genotype] = entry["score"], figures
    ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[1][1]["macs"], item[0]))
    return [Member(number, genotype, *rest) for number, (genotype, rest) in enumerate(ordered, start=1)]


def build_name(number: int, flash_bytes: float | None) -> str:
    """What the build of a member under a limit on flash is called; None for no limit."""
    return f"front-{number}" + ("" if flash_bytes is None else f"-flash-{flash_bytes:.0f}")


def would_be_built(
    members: Iterable[Member],
    predict: Callable[[Member], Figures],
    builds: Mapping[Genotype, Mapping[str, Any]],
    flash_bytes: float | None,
) -> list[Member]:
    """The members, with the figures of what would be built of them; what exports have built does not count.

    Args:
        members: of the front.
        predict: figures of a member with the kernels that would be chosen for it under the limit.
        builds: what the run measured of its winner and baselines, where kernels may spend all flash: under a limit
            that they keep to, the same are chosen.
        flash_bytes: the limit on flash; None for none.
    """

    def figures(member: Member) -> Figures:
        built = builds.get(member.genotype)
        if built is None or (flash_bytes is not None and built["flash_bytes"] > flash_bytes):
            return predict(member)
        return figures_of_built(built)

    return [replace(member, figures=figures(member)) for member in members]


def figures_of_built(built: Mapping[str, Any]) -> Figures:
    """The figures in what was measured of a network."""
    return {"latency": built["ticks"], **{name: built[name] for name in ("macs", "sram_bytes", "flash_bytes")}}


def pick(members: Sequence[Member], conditions: Sequence[Condition], build: Callable[[Member], Figures]) -> Member:
    """The first member that meets all conditions by its prediction and, once it is built, by its measurement.

    Args:
        members: of the front, best first.
        conditions: to be met, all of them.
        build: trains and builds a member; returns what was measured, or raises `MemberError`.

    Raises:
        PickError: none meets them; the message has the member that comes closest, and those that cannot be had.
    """
    known = {member.number: member.figures for member in members}
    lost: dict[int, str] = {}
    for member in members:
        if all(condition.holds(member.figures) for condition in conditions):
            try:
                known[member.number] = build(member)
            except MemberError as error:
                lost[member.number] = str(error)
                continue
            if all(condition.holds(known[member.number]) for condition in conditions):
                return member

    def miss(member: Member) -> float:
        return max(condition.excess(known[member.number]) for condition in conditions)

    facts = list(lost.values())
    left = [member for member in members if member.number not in lost]
    if left:
        nearest = min(left, key=miss)
        takes = ", ".join(dict.fromkeys(condition.worded(known[nearest.number]) for condition in conditions))
        facts.insert(0, f"the closest of {len(members)} is member {nearest.number}: {takes}")
    asked = " and ".join(condition.text for condition in conditions)
    raise PickError(f"no member of the front has {asked}; {'; '.join(facts)}; raise the limits")
