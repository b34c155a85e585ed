"""AnyNetSpace: a stem and stages whose kind of block, width, depth and down-sampling are all chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinynas.spaces._anynet_file import AnyNetStageTable, AnyNetTable
from tinynas.spaces._block import Architecture, Block, Shape
from tinynas.spaces._chain_space import round_channels
from tinynas.spaces._kinds import block_kind
from tinynas.spaces._variable_space import VariableSpace, check_sizes
from tinynas.spaces._variables import Condition, Genotype, Variable

_POOLS = ("max_pool", "average_pool")


class AnyNetSpace(VariableSpace):
    """A design space of stages (Radosavovic et al. 2020, "Designing Network Design Spaces", section 3.2: AnyNetX).

    The network is a stem, stages and a head; the blocks of a stage are all alike. Variables are, of the stem, width,
    kernel and down-sampling, of each stage the kind of block, width, depth, down-sampling, and the parameters of its
    kinds, which are active where the kind that is chosen has them, and the kind of head, where there are several.
    Shapes between stages follow from the choices, so that a network may grow wide early or late; the weights of one
    network need not be a part of another's.

    Args:
        table: the checked content of a space file; `load_space` reads one.
    """

    def __init__(self, table: AnyNetTable) -> None:
        self.table = table
        stem = table.stem
        variables = [
            Variable("stem.width", stem.width),
            Variable("stem.kernel", stem.kernel),
            _named("stem.downsample", stem.downsample),
        ]
        for number, stage in enumerate(table.stages, start=1):
            variables += _stage_variables(f"stage{number}", stage, len(variables))
        if len(table.head.block) > 1:
            variables.append(_named("head.block", table.head.block))
        super().__init__(
            table.name,
            variables,
            description=table.description,
            width_multipliers=table.width_multipliers,
            resolutions=table.resolutions,
        )
        self._positions = {variable.name: position for position, variable in enumerate(self.variables)}
        self._blocks: dict[tuple[str, str, Shape, tuple[tuple[str, int], ...]], Block] = {}

    def definition(self) -> dict[str, Any]:
        """The content of the space's file."""
        return self.table.model_dump(mode="json")

    def decode(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 3, classes: int = 1000
    ) -> Architecture:
        """See `SearchSpace.decode`: a stem, for each stage a pool if it has one and its blocks, a head.

        Args:
            genotype: a member of this space.
            width: width multiplier; channels are rounded to the space's divisor.
            resolution: side of the square input in pixels.
            input_channels: 1 or 3, or what the data set has.
            classes: number of logits.

        Raises:
            SpaceError: `genotype` is not a member of this space, or a number is not positive.
        """
        self.check(genotype)
        check_sizes(width, resolution, input_channels, classes)
        input_shape: Shape = (1, resolution, resolution, input_channels)
        blocks: list[Block] = []

        def append(name: str, kind: str, settings: Mapping[str, int]) -> None:
            blocks.append(self._block(name, kind, blocks[-1].output_shape if blocks else input_shape, settings))

        def channels(part: str) -> int:
            return round_channels(self._value(genotype, f"{part}.width") * width, self.table.channel_divisor)

        strided, pool = _downsampling(self._label(genotype, "stem.downsample"))
        settings = {"out_channels": channels("stem"), "stride": strided, "kernel": self._value(genotype, "stem.kernel")}
        append("stem", "conv", settings)
        if pool is not None:
            append("stem.pool", pool, {"stride": 2})
        for number in range(1, len(self.table.stages) + 1):
            stage = f"stage{number}"
            kind = str(self._label(genotype, f"{stage}.block"))
            strided, pool = _downsampling(self._label(genotype, f"{stage}.downsample"))
            if pool is not None:
                append(f"{stage}.pool", pool, {"stride": 2})
            chosen = {key: self._value(genotype, f"{stage}.{key}") for key in block_kind(kind).choices}
            settings = {"out_channels": channels(stage), **chosen}
            for i in range(self._value(genotype, f"{stage}.depth")):
                append(f"{stage}.block{i + 1}", kind, {**settings, "stride": strided if i == 0 else 1})
        heads = self.table.head.block
        append("head", heads[0] if len(heads) == 1 else str(self._label(genotype, "head.block")), {"classes": classes})
        return Architecture(tuple(blocks), input_shape, f"{self.name}-w{width:g}-r{resolution}")

    def _value(self, genotype: Genotype, name: str) -> int:
        return genotype[self._positions[name]]

    def _label(self, genotype: Genotype, name: str) -> int | str:
        position = self._positions[name]
        return self.variables[position].label(genotype[position])

    def _block(self, name: str, kind: str, shape: Shape, settings: Mapping[str, int]) -> Block:
        key = (name, kind, shape, tuple(sorted(settings.items())))
        if key not in self._blocks:
            self._blocks[key] = block_kind(kind).block(name, shape, settings)
        return self._blocks[key]


def _named(name: str, labels: tuple[str, ...]) -> Variable:
    return Variable(name, tuple(range(len(labels))), ordinal=False, labels=labels)


def _stage_variables(name: str, stage: AnyNetStageTable, position: int) -> list[Variable]:
    """Those of one stage, the first of which, the kind of block, stands at `position`."""
    variables = [
        _named(f"{name}.block", stage.block),
        Variable(f"{name}.width", stage.width),
        Variable(f"{name}.depth", stage.depth),
        _named(f"{name}.downsample", stage.downsample),
    ]
    for parameter in dict.fromkeys(key for kind in stage.block for key in block_kind(kind).choices):
        having = tuple(i for i, kind in enumerate(stage.block) if parameter in block_kind(kind).choices)
        requires = () if len(having) == len(stage.block) else (Condition(position, having),)
        variables.append(Variable(f"{name}.{parameter}", stage.choices[parameter], requires=requires))
    return variables


def _downsampling(label: int | str) -> tuple[int, str | None]:
    """The stride of the first convolution, and the kind of the pool, if there is one."""
    return (2 if label == "stride" else 1), (str(label) if label in _POOLS else None)
