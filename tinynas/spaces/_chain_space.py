"""ChainSpace: stages of blocks, the space that a space file describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from tinynas.registry import closest
from tinynas.spaces._block import Architecture, Block, Shape
from tinynas.spaces._cell import Cell
from tinynas.spaces._chain_file import ChainTable, StageTable
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._kinds import block_kind
from tinynas.spaces._variable_space import VariableSpace, check_sizes
from tinynas.spaces._variables import Condition, Genotype, Variable

_Slot = dict[tuple[int, ...], Block]


def round_channels(channels: float, divisor: int) -> int:
    """The multiple of `divisor` nearest to `channels`, at least `divisor`, never below 90 % of `channels`.

    The rounding of MobileNetV2 (Sandler et al. 2018), as every implementation of it has since.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


@dataclass(frozen=True)
class _StageChoices:
    """What there is to choose in one stage: its depth, and for each of `max(depths)` blocks each of `choices`."""

    name: str
    block: str
    depths: tuple[int, ...]
    choices: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def length(self) -> int:
        """Number of variables."""
        return 1 + self.depths[-1] * len(self.choices)

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Every block that may stand in the stage."""
        return tuple(self.operator(setting) for setting in product(*(values for _, values in self.choices)))

    def operator(self, setting: Sequence[int]) -> str:
        """A block with its choices, such as `conv kernel=3`."""
        return " ".join((self.block, *(f"{key}={v}" for (key, _), v in zip(self.choices, setting, strict=True))))


@dataclass(frozen=True)
class _Chain:
    """The blocks of a space at one (width, resolution, input channels, classes).

    The shape between two blocks never depends on a choice, so every block that a slot can hold is made once, here.
    """

    name: str
    input_shape: Shape
    stem: Block
    # Per stage: its depths, their position, variables per block, and for each slot the block of each setting.
    stages: tuple[tuple[tuple[int, ...], int, int, tuple[_Slot, ...]], ...]
    head: Block


class ChainSpace(VariableSpace):
    """Stages of blocks with elastic depth and, per block, the elastic choices of its kind.

    Variables list, stage by stage, the depth and then, for each block up to the largest depth, each choice of the
    stage's block kind; those of a block beyond the depth are not active. The width multiplier and the resolution are
    not part of a genotype: one supernet has one width and one resolution, which `optimize_space` chooses before the
    search. The weights of the largest network hold those of every other one.

    Args:
        table: the checked content of a space file; `load_space` reads one.
    """

    def __init__(self, table: ChainTable) -> None:
        self.table = table
        self._stages = tuple(
            _StageChoices(f"stage{i}", stage.block, stage.depth, tuple(_ordered_choices(stage)))
            for i, stage in enumerate(table.stages, start=1)
        )
        super().__init__(
            table.name,
            _variables(self._stages),
            description=table.description,
            width_multipliers=table.width_multipliers,
            resolutions=table.resolutions,
        )
        self._chains: dict[tuple[float, int, int, int], _Chain] = {}

    def describe(self, genotype: Genotype) -> dict[str, dict[str, Any]]:
        """`genotype` for people: `{"stage1": {"depth": 2, "blocks": [{"kernel": 3, "expansion": 6}, ...]}, ...}`."""
        self.check(genotype)
        description: dict[str, dict[str, Any]] = {}
        position = 0
        for stage in self._stages:
            depth, per_block = genotype[position], len(stage.choices)
            values = genotype[position + 1 : position + 1 + depth * per_block]
            description[stage.name] = {
                "depth": depth,
                "blocks": [
                    {key: values[b * per_block + i] for i, (key, _) in enumerate(stage.choices)} for b in range(depth)
                ],
            }
            position += stage.length
        return description

    def from_description(self, description: Mapping[str, Mapping[str, Any]]) -> Genotype:
        """The inverse of `describe`.

        Raises:
            SpaceError: a stage or a choice is missing, unknown, or out of the space.
        """
        names = [stage.name for stage in self._stages]
        for name in description:
            if name not in names:
                raise SpaceError(f"unknown stage {name!r}; {closest(name, names)}")
        values: list[int] = []
        for stage in self._stages:
            if stage.name not in description:
                raise SpaceError(f"{stage.name} is missing")
            values.extend(_stage_values(stage, description[stage.name]))
        self.check(values)
        return tuple(values)

    def structure(self, genotype: Genotype) -> tuple[Cell, ...]:
        """Each block is a cell of one operator, its kind with its choices; a block beyond the depth is passed by.

        Inside of a block only one path changes with the choices, so that its operators need no vertices of their own.
        """
        cells: list[Cell] = []
        position = 0
        for stage in self._stages:
            depth, per_block = genotype[position], len(stage.choices)
            for block in range(stage.depths[-1]):
                start = position + 1 + block * per_block
                operator = stage.operator(genotype[start : start + per_block]) if block < depth else None
                edges = {(0, 2)} if operator is None else {(0, 1), (1, 2)}
                cells.append(Cell(f"{stage.name}.block{block + 1}", stage.vocabulary, (operator,), frozenset(edges)))
            position += stage.length
        return tuple(cells)

    def definition(self) -> dict[str, Any]:
        """The content of the space's file."""
        return self.table.model_dump(mode="json")

    def decode(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 3, classes: int = 1000
    ) -> Architecture:
        """See `SearchSpace.decode`: a stem, the blocks of each stage, a head.

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
            for depths, position, per_block, slots in chain.stages:
                start, depth = position + 1, genotype[position]
                if depth not in depths:
                    self.check(genotype)
                for slot in slots[:depth]:
                    blocks.append(slot[genotype[start : start + per_block]])
                    start += per_block
        except (KeyError, IndexError):
            self.check(genotype)
            raise
        blocks.append(chain.head)
        return Architecture(tuple(blocks), chain.input_shape, chain.name)

    def _chain(self, width: float, resolution: int, input_channels: int, classes: int) -> _Chain:
        check_sizes(width, resolution, input_channels, classes)
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
        stages: list[tuple[tuple[int, ...], int, int, tuple[_Slot, ...]]] = []
        for choices, stage in zip(self._stages, table.stages, strict=True):
            slots: list[_Slot] = []
            for i in range(stage.depth[-1]):
                settings = {
                    "out_channels": round_channels(stage.width * width, divisor),
                    "stride": stage.stride if i == 0 else 1,
                }
                slot = _slot(f"{choices.name}.block{i + 1}", stage, shape, settings, choices)
                slots.append(slot)
                shape = next(iter(slot.values())).output_shape
            stages.append((choices.depths, position, len(choices.choices), tuple(slots)))
            position += choices.length
        head = block_kind(table.head.block).block("head", shape, {"classes": classes})
        return _Chain(f"{self.name}-w{width:g}-r{resolution}", input_shape, stem, tuple(stages), head)


def _slot(name: str, stage: StageTable, shape: Shape, settings: Mapping[str, int], choices: _StageChoices) -> _Slot:
    """Every block that may stand at one place, by its choices."""
    kind = block_kind(stage.block)
    keys = [key for key, _ in choices.choices]
    return {
        setting: kind.block(name, shape, {**settings, **dict(zip(keys, setting, strict=True))})
        for setting in product(*(values for _, values in choices.choices))
    }


def _variables(stages: Sequence[_StageChoices]) -> list[Variable]:
    variables: list[Variable] = []
    for stage in stages:
        depth_position = len(variables)
        variables.append(Variable(f"{stage.name}.depth", stage.depths))
        for block in range(1, stage.depths[-1] + 1):
            deep = tuple(depth for depth in stage.depths if depth >= block)
            requires = () if deep == stage.depths else (Condition(depth_position, deep),)
            variables.extend(
                Variable(f"{stage.name}.block{block}.{key}", values, requires=requires) for key, values in stage.choices
            )
    return variables


def _ordered_choices(stage: StageTable) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The choices in the order of the block kind, whatever their order in the file."""
    for name in block_kind(stage.block).choices:
        yield name, stage.choices[name]


def _stage_values(stage: _StageChoices, description: Mapping[str, Any]) -> list[int]:
    blocks = description.get("blocks", [])
    depth = description.get("depth", len(blocks))
    if depth != len(blocks) or depth not in stage.depths:
        raise SpaceError(f"{stage.name}: depth {depth} with {len(blocks)} blocks; depths are {list(stage.depths)}")
    keys = [key for key, _ in stage.choices]
    values = [depth]
    for i, block in enumerate(blocks, start=1):
        if set(block) != set(keys):
            raise SpaceError(f"{stage.name}.block{i} takes {', '.join(keys)}, got {', '.join(block)}")
        values.extend(int(block[key]) for key in keys)
    return values + [0] * (stage.length - len(values))
