"""A network as a chain of blocks that meet in single tensors: what costs are cached by and graphs are built from."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

Shape = tuple[int, ...]
Parameters = tuple[tuple[str, int], ...]
Signature = tuple[str, Shape, Parameters]


@dataclass(frozen=True, slots=True)
class Block:
    """One link of the chain: it reads one tensor and writes one tensor.

    `kind` names an entry of the registry of block kinds; `parameters` are its settings (`out_channels`, `stride`,
    `kernel`, ...) in the order of the kind. Shapes are NHWC with a batch of 1, or [1, classes] after the head.
    Blocks of equal `signature` have equal graphs but for operator names, so any cost may be cached by it.
    """

    name: str
    kind: str
    input_shape: Shape
    output_shape: Shape
    parameters: Parameters
    signature: Signature = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Computed once: the space optimizer looks costs up by it some millions of times.
        object.__setattr__(self, "signature", (self.kind, self.input_shape, self.parameters))

    def parameter(self, name: str) -> int:
        """The value of one parameter.

        Raises:
            KeyError: the kind has no such parameter.
        """
        for key, value in self.parameters:
            if key == name:
                return value
        raise KeyError(f"block {self.name!r} of kind {self.kind!r} has no parameter {name!r}")


@dataclass(frozen=True, slots=True)
class Architecture:
    """A chain of blocks from the input, NHWC with a batch of 1, to logits [1, classes]."""

    blocks: tuple[Block, ...]
    input_shape: Shape
    name: str = "model"


def cached_by_signature(cost: Callable[[Block], T]) -> Callable[[Block], T]:
    """`cost`, computed once for all blocks of equal signature.

    A configuration of the mobile space has a few hundred distinct blocks and some 10^20 networks, so with this a
    network costs a few dozen dictionary lookups. The cache lives as long as the returned function.
    """
    known: dict[Hashable, T] = {}

    def cached(block: Block) -> T:
        try:
            return known[block.signature]
        except KeyError:
            value = known[block.signature] = cost(block)
            return value

    return cached
