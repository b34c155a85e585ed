"""Why a layer has the kernel that it has, in one line, and what speaks against the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinynas.engine._kernel_candidates import Candidate, Layer, Obstacle
from tinynas.engine._knapsack import Room


@dataclass(frozen=True)
class Explanation:
    """Of one layer.

    Attributes:
        reason: Why it has its kernel, in one line that begins with the kernel's name.
        code_bytes: What linking each candidate adds to the code of the other layers' kernels; None where unknown.
        notes: What speaks against each candidate, in a few words.
    """

    reason: str
    code_bytes: tuple[int | None, ...]
    notes: tuple[str, ...]


def explain(
    found: Sequence[Layer], chosen: Sequence[int], room: Room | None, unit: str, missing: str
) -> list[Explanation]:
    """Explain every layer.

    Args:
        found: The layers.
        chosen: The place of each one's kernel among its candidates.
        room: Bytes of constants that fit beside the code of some kernels; None where the memory model does not know.
        unit: What ticks are.
        missing: Why ticks did not decide, and what did, in one line; empty where they did.
    """
    taken = [layer.candidates[c] for layer, c in zip(found, chosen, strict=True)]
    variants = [candidate.variant for candidate in taken]
    left = 0
    if room is not None:
        left = room(frozenset(variants)) - sum(candidate.constant_bytes for candidate in taken)
    explanations = []
    for place, (layer, c) in enumerate(zip(found, chosen, strict=True)):
        others = frozenset(variants[:place] + variants[place + 1 :])
        code = tuple(_code_bytes(room, others, candidate) for candidate in layer.candidates)
        explained = _Explained(layer, c, code, unit, left)
        reason = explained.reason(missing)
        notes = tuple(explained.note(i, compared=not missing) for i in range(len(layer.candidates)))
        explanations.append(Explanation(f"{layer.candidates[c].variant}: {reason}", code, notes))
    return explanations


def _code_bytes(room: Room | None, others: frozenset[str], candidate: Candidate) -> int | None:
    if room is None or candidate.obstacle is Obstacle.UNSIZED:
        return None
    return room(others) - room(others | {candidate.variant})


@dataclass(frozen=True)
class _Explained:
    """One layer: its candidates, the place of the chosen one, and what flash is left in the whole network."""

    layer: Layer
    chosen: int
    code_bytes: Sequence[int | None]
    unit: str
    left: int

    @property
    def candidates(self) -> Sequence[Candidate]:
        return self.layer.candidates

    def reason(self, missing: str) -> str:
        taken, local = self.candidates[self.chosen], self.candidates[0]
        if self.layer.gave_up:
            return self._too_large(self.layer.local)
        if missing:
            return missing
        if len(self.candidates) == 1:
            return "the only kernel for it"
        if taken.ticks is None or local.ticks is None:
            return f"the local rule; {taken.obstacle}"
        if self.chosen:
            return self._instead(local.variant, local.ticks - taken.ticks, -self._more_flash(0))
        faster = [i for i, c in enumerate(self.candidates) if c.ticks is not None and c.ticks < taken.ticks]
        for i in sorted(faster, key=lambda i: (self.candidates[i].obstacle is not None, self.candidates[i].ticks)):
            return f"{self.candidates[i].variant} {self._objection(i)}"
        suited = [c for c in self.candidates if c.obstacle is not Obstacle.UNSUITED]
        unknown = any(c.ticks is None or c.obstacle is Obstacle.UNSIZED for c in suited)
        return "the fastest of those that the models know" if unknown else "the fastest"

    def note(self, place: int, *, compared: bool) -> str:
        candidate, taken = self.candidates[place], self.candidates[self.chosen]
        if place == self.chosen:
            return "chosen"
        if candidate.obstacle is Obstacle.NO_ROOM:
            return _no_room(candidate)
        if candidate.obstacle is not None or not compared:
            return candidate.obstacle or "not compared"
        assert candidate.ticks is not None
        assert taken.ticks is not None  # else the others would be incomparable
        slower = candidate.ticks - taken.ticks
        if slower > 0:
            return f"{slower:,} {self.unit} more"
        if slower == 0:
            return "as fast" + (
                f", for {flash:,} bytes of flash more" if (flash := self._more_flash(place)) > 0 else ""
            )
        return f"{-slower:,} {self.unit} fewer, {self._objection(place)}"

    def _instead(self, local: str, saved: int, flash: int) -> str:
        """Why another kernel than the local rule's, which takes `saved` ticks more and `flash` bytes less."""
        less = f"{-flash:,} bytes of flash less"
        if saved > 0:
            price = f"for {flash:,} bytes of flash" if flash > 0 else f"and {less}" if flash else "for no flash"
            return f"{saved:,} {self.unit} fewer than {local} {price}"
        if saved == 0:
            return f"as fast as {local}" + (f", and {less}" if flash < 0 else "")
        return f"{-saved:,} {self.unit} more than {local}, which {self._objection(0)}"

    def _too_large(self, local: Candidate) -> str:
        """Why not the local rule's kernel, whose scratch was given up."""
        taken = self.candidates[self.chosen]
        if local.ticks is None or taken.ticks is None or local.ticks == taken.ticks:
            return f"instead of {local.variant}: {_no_room(local)}"
        if local.ticks > taken.ticks:
            return f"{local.ticks - taken.ticks:,} {self.unit} fewer than {local.variant}, and {_no_room(local)}"
        return f"{local.variant} is faster by {taken.ticks - local.ticks:,} {self.unit}, but {_no_room(local)}"

    def _objection(self, place: int) -> str:
        """Why a faster kernel was not chosen."""
        obstacle = self.candidates[place].obstacle
        if obstacle is Obstacle.NO_ROOM:
            return f"is faster, but {_no_room(self.candidates[place])}"
        if obstacle is not None:
            return f"is faster, but {obstacle}"
        more = self._more_flash(place)
        if more > self.left:
            return f"would take {more:,} bytes of flash more and {self.left:,} are left"
        return "might fit: the search for the best set ended early"

    def _more_flash(self, place: int) -> int:
        """Bytes of flash that another candidate takes beyond the chosen one."""
        ours, theirs = self.code_bytes[self.chosen], self.code_bytes[place]
        constants = self.candidates[place].constant_bytes - self.candidates[self.chosen].constant_bytes
        return constants + (theirs or 0) - (ours or 0)


def _no_room(candidate: Candidate) -> str:
    """By how much a kernel's scratch is too large. Where its bytes would fit, no plan was found for them."""
    scratch = f"its scratch of {max(candidate.scratch):,} bytes does not fit"
    return f"{scratch}: {candidate.excess_bytes:,} too many" if candidate.excess_bytes > 0 else scratch
