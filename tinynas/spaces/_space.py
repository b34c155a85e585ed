"""SearchSpace: genotypes, the networks they stand for, and the moves a search makes between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tinynas.spaces._block import Architecture, Block, Shape
from tinynas.spaces._genes import Genes, Genotype, StageGenes
from tinynas.spaces._kinds import SpaceError, block_kind
from tinynas.spaces._nearest import suggestion
from tinynas.spaces._space_file import SpaceTable, StageTable, parse_space_table, read_space_table

_Slot = dict[tuple[int, ...], Block]


def round_channels(channels: float, divisor: int) -> int:
    """The multiple of `divisor` nearest to `channels`, at least `divisor`, never below 90 % of `channels`.

    The rounding of MobileNetV2 (Sandler et al. 2018), as every implementation of it has since.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


@dataclass(frozen=True)
class _Chain:
    """The blocks of a space at one (width, resolution, input channels, classes).

    The shape between two blocks never depends on a choice, so every block that a slot can hold is made once, here.
    """

    name: str
    input_shape: Shape
    stem: Block
    # Per stage: position of its depth gene, genes per block, and for each slot the block of each setting.
    stages: tuple[tuple[int, int, tuple[_Slot, ...]], ...]
    head: Block


class SearchSpace:
    """A space of networks: stages of blocks with elastic depth and, per block, the elastic choices of its kind.

    Genotypes are tuples of ints (see `encode` and `decode`). The width multiplier and the resolution are not part of
    a genotype: one supernet has one width and one resolution, which `optimize_space` chooses before the search.

    Args:
        table: the checked content of a space file; `load_space` reads one.
    """

    def __init__(self, table: SpaceTable) -> None:
        self.table = table
        self._genes = Genes(
            [
                StageGenes(f"stage{i}", stage.depth, tuple(_ordered_choices(stage)))
                for i, stage in enumerate(table.stages, start=1)
            ]
        )
        self._chains: dict[tuple[float, int, int, int], _Chain] = {}

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def width_multipliers(self) -> tuple[float, ...]:
        """The width multipliers that the space was designed for, ascending."""
        return self.table.width_multipliers

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The input resolutions that the space was designed for, in pixels, ascending."""
        return self.table.resolutions

    def configurations(self, max_resolution: int | None = None) -> list[tuple[float, int]]:
        """All (width multiplier, resolution) pairs of the space, up to `max_resolution` (that of the data set)."""
        sides = [side for side in self.resolutions if max_resolution is None or side <= max_resolution]
        return list(product(self.width_multipliers, sides))

    def size(self) -> int:
        """The exact number of distinct networks at one width and resolution."""
        return self._genes.size()

    def largest(self) -> Genotype:
        """The network whose weights hold those of every other one."""
        return self._genes.largest()

    def smallest(self) -> Genotype:
        return self._genes.smallest()

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A random genotype: every depth and every choice of an active block uniform and independent."""
        return self._genes.sample(rng)

    def mutate(self, genotype: Genotype, rng: np.random.Generator, rate: float = 0.1) -> Genotype:
        """A neighbour of `genotype`: each active gene redrawn with probability `rate`, and at least one."""
        return self._genes.mutate(genotype, rng, rate)

    def crossover(self, a: Genotype, b: Genotype, rng: np.random.Generator) -> Genotype:
        """A child of `a` and `b`: each gene from either with equal probability."""
        return self._genes.crossover(a, b, rng)

    def shrink(self, genotype: Genotype, rng: np.random.Generator) -> Genotype | None:
        """`genotype` with one random gene one step smaller (for repair); None if nothing can be smaller."""
        return self._genes.shrink(genotype, rng)

    def enumerate(self) -> Iterator[Genotype]:
        """Every genotype once. Check `size` first: the mobile space has more networks than can be listed."""
        return self._genes.enumerate()

    def check(self, genotype: Sequence[int]) -> None:
        """Check membership.

        Raises:
            SpaceError: `genotype` is not a canonical member of this space.
        """
        self._genes.check(genotype)

    def decode(self, genotype: Genotype) -> dict[str, dict[str, Any]]:
        """`genotype` for people: `{"stage1": {"depth": 2, "blocks": [{"kernel": 3, "expansion": 6}, ...]}, ...}`."""
        self.check(genotype)
        readable: dict[str, dict[str, Any]] = {}
        position = 0
        for stage in self._genes.stages:
            depth, per_block = genotype[position], len(stage.choices)
            values = genotype[position + 1 : position + 1 + depth * per_block]
            readable[stage.name] = {
                "depth": depth,
                "blocks": [
                    {key: values[b * per_block + i] for i, (key, _) in enumerate(stage.choices)} for b in range(depth)
                ],
            }
            position += stage.length
        return readable

    def encode(self, readable: Mapping[str, Mapping[str, Any]]) -> Genotype:
        """The inverse of `decode`.

        Raises:
            SpaceError: a stage or a choice is missing, unknown, or out of the space.
        """
        names = [stage.name for stage in self._genes.stages]
        for name in readable:
            if name not in names:
                raise SpaceError(f"unknown stage {name!r}{suggestion(name, names)}")
        values: list[int] = []
        for stage in self._genes.stages:
            if stage.name not in readable:
                raise SpaceError(f"{stage.name} is missing")
            values.extend(_encode_stage(stage, readable[stage.name]))
        self.check(values)
        return tuple(values)

    def architecture(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 3, classes: int = 1000
    ) -> Architecture:
        """The network of `genotype`.

        Args:
            genotype: a member of this space.
            width: width multiplier; channels are rounded to the space's divisor.
            resolution: side of the square input in pixels.
            input_channels: 1 or 3, or what the data set has.
            classes: number of logits.

        Raises:
            SpaceError: `genotype` is not a member of this space.
        """
        key = (width, resolution, input_channels, classes)
        chain = self._chains.get(key)
        if chain is None:
            chain = self._chains[key] = self._chain(*key)
        blocks = [chain.stem]
        try:
            for position, per_block, slots in chain.stages:
                start = position + 1
                for slot in slots[: genotype[position]]:
                    blocks.append(slot[genotype[start : start + per_block]])
                    start += per_block
        except (KeyError, IndexError):
            self.check(genotype)
            raise
        blocks.append(chain.head)
        return Architecture(tuple(blocks), chain.input_shape, chain.name)

    def _chain(self, width: float, resolution: int, input_channels: int, classes: int) -> _Chain:
        if width <= 0 or resolution < 1 or input_channels < 1 or classes < 1:
            raise SpaceError(
                f"width, resolution, input channels and classes must be positive, got {width}, {resolution}, "
                f"{input_channels}, {classes}"
            )
        table, divisor = self.table, self.table.channel_divisor
        input_shape: Shape = (1, resolution, resolution, input_channels)
        stem = block_kind(table.stem.block).block(
            "stem",
            input_shape,
            {
                "out_channels": round_channels(table.stem.width * width, divisor),
                "stride": table.stem.stride,
                **table.stem.parameters,
            },
        )
        shape, position = stem.output_shape, 0
        stages: list[tuple[int, int, tuple[_Slot, ...]]] = []
        for genes, stage in zip(self._genes.stages, table.stages, strict=True):
            slots: list[_Slot] = []
            for i in range(stage.depth[-1]):
                settings = {
                    "out_channels": round_channels(stage.width * width, divisor),
                    "stride": stage.stride if i == 0 else 1,
                }
                slot = _slot(f"{genes.name}.block{i + 1}", stage, shape, settings, genes)
                slots.append(slot)
                shape = next(iter(slot.values())).output_shape
            stages.append((position, len(genes.choices), tuple(slots)))
            position += genes.length
        head = block_kind(table.head.block).block("head", shape, {"classes": classes})
        return _Chain(f"{self.name}-w{width:g}-r{resolution}", input_shape, stem, tuple(stages), head)


def _slot(name: str, stage: StageTable, shape: Shape, settings: Mapping[str, int], genes: StageGenes) -> _Slot:
    """Every block that may stand at one place, by its choices."""
    kind = block_kind(stage.block)
    keys = [key for key, _ in genes.choices]
    return {
        setting: kind.block(name, shape, {**settings, **dict(zip(keys, setting, strict=True))})
        for setting in product(*(values for _, values in genes.choices))
    }


def _ordered_choices(stage: StageTable) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The choices in the order of the block kind, whatever their order in the file."""
    for name in block_kind(stage.block).choices:
        yield name, stage.choices[name]


def _encode_stage(stage: StageGenes, readable: Mapping[str, Any]) -> list[int]:
    blocks = readable.get("blocks", [])
    depth = readable.get("depth", len(blocks))
    if depth != len(blocks) or depth not in stage.depths:
        raise SpaceError(f"{stage.name}: depth {depth} with {len(blocks)} blocks; depths are {list(stage.depths)}")
    keys = [key for key, _ in stage.choices]
    values = [depth]
    for i, block in enumerate(blocks, start=1):
        if set(block) != set(keys):
            raise SpaceError(f"{stage.name}.block{i} takes {', '.join(keys)}, got {', '.join(block)}")
        values.extend(int(block[key]) for key in keys)
    return values + [0] * (stage.length - len(values))


def load_space(name_or_path: str | Path) -> SearchSpace:
    """The search space of that name (see `space_names`), or the one described in a `.toml` file.

    Raises:
        SpaceError: there is no such space, or its file is wrong; the message says where and what to do.
    """
    return SearchSpace(read_space_table(name_or_path))


def parse_space(text: str, where: str = "text") -> SearchSpace:
    """The search space described by the text of a space file; `where` names it in messages.

    Raises:
        SpaceError: the text is wrong.
    """
    return SearchSpace(parse_space_table(text, where))
