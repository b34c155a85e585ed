"""The firmware as a linker sees it: input sections, what they need, and what the ones that are kept take.

Every function has a section of its own, and the linker keeps those that the vector table reaches. So the code of a
network is the union of what its kernel variants reach, laid out in link order; nothing is fitted but the generated
calls. The same call graph with the stack frame of each function bounds the stack: there is no recursion, no call
through a pointer and no interrupt in the firmware.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tinynas.memory._live_ranges import align

_OPEN = -1  # depth of a function whose callees are being followed

OutputSection = Literal["vectors", "text", "rodata", "data"]


@dataclass(frozen=True)
class InputSection:
    """A section of an object file that ends up in flash.

    Attributes:
        name: `<source>:<section>`, unique in the firmware.
        output: The output section it goes to.
        size_bytes: Its size.
        alignment: Its alignment.
        requires: Names of sections and generated functions that it refers to.
        frame_bytes: Largest stack frame of its functions.
    """

    name: str
    output: OutputSection
    size_bytes: int
    alignment: int
    requires: tuple[str, ...] = ()
    frame_bytes: int = 0


@dataclass(frozen=True)
class Image:
    """The input sections in link order. `entry` is where the linker starts keeping: the vector table."""

    sections: Sequence[InputSection]
    entry: str

    @cached_property
    def by_name(self) -> Mapping[str, InputSection]:
        return {section.name: section for section in self.sections}

    def kept(self, generated: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """Names of the sections that are linked, given what each generated function refers to."""
        found: set[str] = set()
        queue = [self.entry]
        while queue:
            name = queue.pop()
            if name in found:
                continue
            found.add(name)
            section = self.by_name.get(name)
            queue.extend(section.requires if section is not None else generated.get(name, ()))
        return frozenset(found)

    def layout(self, kept: frozenset[str], output: OutputSection, start: int = 0) -> int:
        """The offset behind the kept sections of one output section, laid out from `start` in link order."""
        end = start
        for section in self.sections:
            if section.output == output and section.name in kept:
                end = align(end, section.alignment) + section.size_bytes
        return end

    def deepest_stack(self, root: str, generated: Mapping[str, Iterable[str]], frames: Mapping[str, int]) -> int:
        """Bytes of stack on the deepest path of calls from `root`, its own frame included.

        References count as calls, whether they are or not: that can only make the result larger. `frames` has the
        frames of the generated functions.

        Raises:
            RecursionError: Functions call each other in a circle.
        """
        depths: dict[str, int] = {}

        def depth(name: str) -> int:
            if depths.get(name) == _OPEN:
                raise RecursionError(f"{name} calls itself: its stack has no bound")
            if name not in depths:
                depths[name] = _OPEN
                section = self.by_name.get(name)
                if section is None:
                    frame, callees = frames.get(name, 0), tuple(generated.get(name, ()))
                else:
                    frame, callees = section.frame_bytes, section.requires
                depths[name] = frame + max((depth(callee) for callee in callees), default=0)
            return depths[name]

        return depth(root)
