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


@dataclass(frozen=True)
class Member:
    """A network on the front.

    Attributes:
        number: its place on the front, from 1, the best score first.
        genotype: what it is.
        score: what the evaluator of the search said.
        figures: measured, where it was built before; else predicted by the last latency model of the run, but for a
            latency that was measured.
    """

    number: int
    genotype: Genotype
    score: float
    figures: Figures


def read_front(search: Mapping[str, Any], measured: Mapping[Genotype, float]) -> list[Member]:
    """The members, best score first; of equal scores, the fewest MACs.

    Args:
        search: the content of `search.json`.
        measured: ticks of what the run measured.
    """
    front = {tuple(genotype) for genotype in search["front"]}
    found: dict[Genotype, tuple[float, dict[str, float | None]]] = {}
    for entry in search["entries"]:
        genotype = tuple(entry["genotype"])
        if genotype in front and entry["fidelity"] == 1:
            cost = entry["cost"]
            figures = {name: cost[name] for name in ("latency", "macs", "sram_bytes", "flash_bytes")}
            figures["latency"] = measured.get(genotype, figures["latency"])
            found[genotype] = entry["score"], figures
    ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[1][1]["macs"], item[0]))
    return [Member(number, genotype, *rest) for number, (genotype, rest) in enumerate(ordered, start=1)]


def build_name(number: int, flash_bytes: float | None) -> str:
    """What the build of a member under a limit on flash is called; None for no limit."""
    return f"front-{number}" + ("" if flash_bytes is None else f"-flash-{flash_bytes:.0f}")


def as_built(
    members: Iterable[Member],
    builds: Mapping[str, Mapping[str, Any]],
    trained: Mapping[Genotype, str],
    flash_bytes: float | None,
) -> list[Member]:
    """The members, with what was measured of those that were built before as they would be now.

    Args:
        members: of the front.
        builds: what was measured, by the names of builds.
        trained: names of what the run built of its winner and baselines, where kernels may spend all flash: under a
            limit that they keep to, the same are chosen.
        flash_bytes: the limit on flash; None for none.
    """

    def known(member: Member) -> Member:
        built = builds.get(build_name(member.number, flash_bytes))
        if built is None:
            built = builds.get(trained.get(member.genotype, ""))
            if built is None or (flash_bytes is not None and built["flash_bytes"] > flash_bytes):
                return member
        return replace(member, figures=figures_of_built(built))

    return list(map(known, members))


def figures_of_built(built: Mapping[str, Any]) -> Figures:
    """The figures in what was measured of a network."""
    return {"latency": built["ticks"], **{name: built[name] for name in ("macs", "sram_bytes", "flash_bytes")}}


def pick(members: Sequence[Member], conditions: Sequence[Condition], build: Callable[[Member], Figures]) -> Member:
    """The first member that meets all conditions by its prediction and, once it is built, by its measurement.

    Args:
        members: of the front, best first.
        conditions: to be met, all of them.
        build: trains and builds a member; returns what was measured.

    Raises:
        PickError: none meets them; the message has the member that comes closest.
    """
    known = {member.number: member.figures for member in members}
    for member in members:
        if all(condition.holds(member.figures) for condition in conditions):
            known[member.number] = build(member)
            if all(condition.holds(known[member.number]) for condition in conditions):
                return member

    def miss(member: Member) -> float:
        return max(condition.excess(known[member.number]) for condition in conditions)

    nearest = min(members, key=miss)
    asked = " and ".join(condition.text for condition in conditions)
    takes = ", ".join(dict.fromkeys(condition.worded(known[nearest.number]) for condition in conditions))
    raise PickError(
        f"no member of the front has {asked}; the closest of {len(members)} is member {nearest.number}: {takes}; "
        "raise the limits"
    )
