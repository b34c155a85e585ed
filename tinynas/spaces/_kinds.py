"""Block kinds by name: what a stage of a search space is made of, and how each becomes operators.

A new kind needs a `build` function and one call of `register_block_kind`, or an entry point of the group
`tinynas.block_kinds` that gives the `BlockKind`; search spaces name it in their file, and counting, planning and
training follow from the operators that it emits. Three rules keep a kind trainable inside a weight-shared supernet,
which shares weights by operator name:

- the weights of an operator, under any choice, are a leading slice (channels) and a centre crop (kernel) of the
  weights under the largest choice;
- whether there is a skip connection follows from `stride` and the channels at both ends, never from a choice;
- padding is TF-SAME inside the convolutions, so that no PAD operator enters a deployed graph.

`tinynas.testing.BaseSharedWeightsTestCase` checks them on random networks of a space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tinynas.graph import Activation, GraphBuilder, Padding
from tinynas.plugins import OWN, Listed
from tinynas.registry import PROGRAM, Registry
from tinynas.spaces._block import Block, Shape
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._residual_kinds import (
    build_average_pool,
    build_fused_inverted_bottleneck,
    build_max_pool,
    build_residual,
    pooled_shape,
)


def strided_shape(input_shape: Shape, settings: Mapping[str, int]) -> Shape:
    """Output shape under TF-SAME padding: spatial size ceil(in / stride), `out_channels` channels."""
    n, height, width, _ = input_shape
    stride = settings["stride"]
    return (n, -(-height // stride), -(-width // stride), settings["out_channels"])


def _positive(value: int) -> str | None:
    return None if value >= 1 else "must be at least 1"


def _odd(value: int) -> str | None:
    # An even kernel has no centre, so a smaller one could not be cropped from a larger one.
    return None if value >= 1 and value % 2 == 1 else "must be odd and positive"


@dataclass(frozen=True)
class BlockKind:
    """How a block of this kind is parameterised and built.

    Attributes:
        name: the name that search spaces use.
        build: adds the operators to the builder, from the input tensor's index to the output tensor's.
        choices: parameters a search space may make elastic, each with a check of one value that returns what is
            wrong with it or None. The largest value of a choice must give the largest weights.
        fixed: parameters that the chain sets (`out_channels` and `stride` in a stage, `classes` in a head).
        output_shape: shape of the output from the input's shape and the parameters.
        description: for listings, which show the first line; a plugin must have one.
    """

    name: str
    build: Callable[[GraphBuilder, int, Block], int]
    choices: Mapping[str, Callable[[int], str | None]] = field(default_factory=dict)
    fixed: tuple[str, ...] = ("out_channels", "stride")
    output_shape: Callable[[Shape, Mapping[str, int]], Shape] = strided_shape
    description: str = ""

    def block(self, name: str, input_shape: Shape, settings: Mapping[str, int]) -> Block:
        """A block with `settings`, which must name every parameter of the kind and nothing else."""
        names = (*self.fixed, *self.choices)
        if set(settings) != set(names):
            raise SpaceError(f"block {name!r}: kind {self.name!r} takes {', '.join(names)}, got {', '.join(settings)}")
        parameters = tuple((key, int(settings[key])) for key in names)
        return Block(name, self.name, input_shape, self.output_shape(input_shape, settings), parameters)


def _build_conv(builder: GraphBuilder, x: int, block: Block) -> int:
    return builder.conv_2d(
        x,
        block.parameter("out_channels"),
        block.parameter("kernel"),
        stride=block.parameter("stride"),
        activation=Activation.RELU6,
        name=f"{block.name}.conv",
    )


def _build_depthwise_separable(builder: GraphBuilder, x: int, block: Block) -> int:
    """MobileNetV1 (Howard et al. 2017, section 3.1): depthwise, then pointwise, both activated; no skip."""
    x = builder.depthwise_conv_2d(
        x,
        block.parameter("kernel"),
        stride=block.parameter("stride"),
        activation=Activation.RELU6,
        name=f"{block.name}.depthwise",
    )
    return builder.conv_2d(
        x, block.parameter("out_channels"), 1, activation=Activation.RELU6, name=f"{block.name}.project"
    )


def _build_inverted_bottleneck(builder: GraphBuilder, x: int, block: Block) -> int:
    """MobileNetV2 (Sandler et al. 2018, table 1): expand, depthwise, linear projection; skip where shapes allow."""
    expansion, stride, out_channels = (block.parameter(key) for key in ("expansion", "stride", "out_channels"))
    in_channels = block.input_shape[-1]
    y = x
    if expansion != 1:
        y = builder.conv_2d(y, in_channels * expansion, 1, activation=Activation.RELU6, name=f"{block.name}.expand")
    y = builder.depthwise_conv_2d(
        y, block.parameter("kernel"), stride=stride, activation=Activation.RELU6, name=f"{block.name}.depthwise"
    )
    y = builder.conv_2d(y, out_channels, 1, name=f"{block.name}.project")
    if stride == 1 and in_channels == out_channels:
        y = builder.add(x, y, name=f"{block.name}.add")
    return y


def _build_classifier(builder: GraphBuilder, x: int, block: Block) -> int:
    """Global average, then one linear layer that gives the logits; softmax is monotone and left to the host.

    The linear layer is a 1x1 convolution. LiteRT and TFLM compute it with the same bits, which FULLY_CONNECTED they do
    not (`tinynas.graph.Runtime`); its weights have a scale per class, and the firmware needs no further kernel.
    """
    y = builder.mean(x, axes=(1, 2), keep_dims=True, name=f"{block.name}.pool")
    y = builder.conv_2d(y, block.parameter("classes"), 1, name=f"{block.name}.classifier")
    return builder.reshape(y, block.output_shape, name=f"{block.name}.logits")


def _build_flatten_classifier(builder: GraphBuilder, x: int, block: Block) -> int:
    """One linear layer of all that the last stage gives, as LeNet and VGG end: where something is, too, tells classes.

    A convolution whose window is the whole map, for the reasons of `_build_classifier`: flattening moves nothing.
    """
    side = (block.input_shape[1], block.input_shape[2])
    y = builder.conv_2d(x, block.parameter("classes"), side, padding=Padding.VALID, name=f"{block.name}.classifier")
    return builder.reshape(y, block.output_shape, name=f"{block.name}.logits")


def _classifier_shape(input_shape: Shape, settings: Mapping[str, int]) -> Shape:
    return (input_shape[0], settings["classes"])


_BLOCK_KINDS = Registry("block kind", BlockKind, SpaceError, group="tinynas.block_kinds")

for _kind in (
    BlockKind("conv", _build_conv, {"kernel": _odd}, description="convolution with ReLU6"),
    BlockKind(
        "depthwise_separable",
        _build_depthwise_separable,
        {"kernel": _odd},
        description="depthwise with ReLU6, 1x1 with ReLU6 (MobileNetV1)",
    ),
    BlockKind(
        "inverted_bottleneck",
        _build_inverted_bottleneck,
        {"kernel": _odd, "expansion": _positive},
        description="1x1 expansion, depthwise, linear 1x1, skip where shapes allow (MobileNetV2)",
    ),
    BlockKind(
        "residual",
        build_residual,
        {"kernel": _odd},
        description="two convolutions, skip where shapes allow, ReLU6 after the addition (ResNet's basic block)",
    ),
    BlockKind(
        "fused_inverted_bottleneck",
        build_fused_inverted_bottleneck,
        {"kernel": _odd, "expansion": _positive},
        description="expanding convolution, linear 1x1, skip where shapes allow (EfficientNetV2)",
    ),
    BlockKind("max_pool", build_max_pool, {}, ("stride",), pooled_shape, "largest of each window"),
    BlockKind("average_pool", build_average_pool, {}, ("stride",), pooled_shape, "mean of each window"),
    BlockKind(
        "classifier",
        _build_classifier,
        {},
        ("classes",),
        _classifier_shape,
        "head: global average, then one linear layer that gives the logits",
    ),
    BlockKind(
        "flatten_classifier",
        _build_flatten_classifier,
        {},
        ("classes",),
        _classifier_shape,
        "head: one linear layer of the whole map that gives the logits",
    ),
):
    _BLOCK_KINDS.register(_kind, OWN)


def register_block_kind(kind: BlockKind, source: str = PROGRAM) -> None:
    """Make `kind` available to search spaces by its name, for as long as the program runs.

    Raises:
        SpaceError: another kind of that name exists.
    """
    _BLOCK_KINDS.register(kind, source)


def block_kind(name: str) -> BlockKind:
    """The kind of that name: of this package, registered, or of a plugin, which is imported now.

    Raises:
        SpaceError: there is none; the message names the nearest.
        PluginError: it is a plugin that cannot be used.
    """
    return _BLOCK_KINDS.get(name)


def block_kind_versions(name: str) -> dict[str, str]:
    """The version of the distribution that a kind comes from, by its name; empty for what is no plugin."""
    return _BLOCK_KINDS.versions(name)


def list_block_kinds() -> list[Listed]:
    """Every kind by name, description and source; plugins are imported now, and broken ones say why."""
    return _BLOCK_KINDS.listed()
