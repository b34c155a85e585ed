"""Operators: their kinds, and what the graph knows of each, which is one `OpSpec` in `tinynas/graph/ops/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinynas.graph._attributes import Activation, Attributes, Padding
from tinynas.graph._errors import GraphError
from tinynas.graph._permutations import Permutation
from tinynas.graph._tensor import DType, Quantization, Tensor
from tinynas.graph._windows import window_padding
from tinynas.graph.fixed_point._runtime import Runtime
from tinynas.plugins import Listed
from tinynas.registry import Registry, closest

if TYPE_CHECKING:
    from tinynas.graph.reference._node import Kernel

Shape = tuple[int, ...]

TABLE_ENTRIES = 256
"""Of the table of an operator that computes each int8 element on its own."""


class _Kinds(type):
    """The class of `OpKind`: its attributes are the kinds, and it has as many as there are operators."""

    def __getattr__(cls, name: str) -> OpKind:
        if name.startswith("_") or name not in OPERATORS.names():
            raise AttributeError(f"there is no operator {name!r}; {closest(name, OPERATORS.names())}")
        kind = OpKind(name)
        setattr(cls, name, kind)  # found without this function from now on
        return kind

    def __dir__(cls) -> list[str]:
        return sorted({*super().__dir__(), *OPERATORS.names()})

    def __iter__(cls) -> Iterator[OpKind]:
        return iter([OpKind(name) for name in OPERATORS.names()])


class OpKind(str, metaclass=_Kinds):
    """The kind of an operator, by its name in the TFLite schema's `BuiltinOperator`: `OpKind.CONV_2D`.

    Equal names are one object, so that kinds are compared by `is`. Iterating over the class gives all kinds that there
    are, those of plugins included.
    """

    __slots__ = ("_spec",)
    _spec: OpSpec | None

    def __new__(cls, name: str) -> OpKind:
        kind = _KINDS.get(name)
        if kind is None:
            kind = _KINDS[name] = str.__new__(cls, name)
            kind._spec = None
        return kind

    def __reduce__(self) -> tuple[type[OpKind], tuple[str]]:
        return OpKind, (str(self),)

    @property
    def value(self) -> str:
        """The name."""
        return str(self)

    @property
    def spec(self) -> OpSpec:
        """What is known of the operator; a plugin is imported now.

        Raises:
            GraphError: There is no such operator.
            PluginError: It is a plugin that cannot be used.
        """
        if self._spec is None:
            self._spec = OPERATORS.get(self)
        return self._spec


_KINDS: dict[str, OpKind] = {}


@dataclass(frozen=True)
class Op:
    """One node. `inputs` and `outputs` index the graph's tensors; -1 is an absent optional input (a bias).

    `name` is stable across the architectures of a search space (`stage2.block1.depthwise`): the supernet shares
    weights by it. Operators that hold weights have inputs (x, weights, bias).
    """

    kind: OpKind
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: Attributes
    name: str = ""

    def __post_init__(self) -> None:
        expected = self.kind.spec.attributes
        if not isinstance(self.attributes, expected):
            raise TypeError(
                f"{self.kind} {self.name!r} needs {expected.__name__}, got {type(self.attributes).__name__}"
            )

    @property
    def spec(self) -> OpSpec:
        """What is known of its kind."""
        return self.kind.spec

    @property
    def activation(self) -> Activation:
        """The activation that is fused into it."""
        activation: Activation = getattr(self.attributes, "activation", Activation.NONE)
        return activation

    @property
    def weights(self) -> Weights | None:
        """The rules for its weights; None where it has none."""
        return self.kind.spec.weights

    def table(self, x: Quantization, output: Quantization, runtime: Runtime) -> npt.NDArray[np.int8]:
        """What `OpSpec.table` gives, int8 [256]; only of operators that have one.

        Raises:
            GraphError: It is of another type or length, or scales are out of range.
        """
        assert self.spec.table is not None
        where = f"{self.kind} {self.name!r}"
        try:
            table = np.asarray(self.spec.table(self, x, output, runtime))
        except ValueError as error:
            if isinstance(error, GraphError):
                raise
            raise GraphError(f"{where}: {error}") from error
        if table.shape != (TABLE_ENTRIES,) or table.dtype != np.int8:
            raise GraphError(
                f"{where}: its table is {table.dtype} {list(table.shape)}, expected int8 [{TABLE_ENTRIES}]"
            )
        return table


def without_activation(op: Op) -> Op:
    """The operator without the activation that is fused into it."""
    attributes: Any = op.attributes
    if op.activation is Activation.NONE:
        return op
    return replace(op, attributes=replace(attributes, activation=Activation.NONE))


class Rewritten(StrEnum):
    """What becomes of an operator that files have and no kernel runs (`tinynas.graph.passes`)."""

    AS_RESHAPE = "becomes a RESHAPE"
    AS_CONSTANT = "of constants and shapes: computed in advance"


@dataclass(frozen=True)
class Weights:
    """The rules for the weights of an operator: its second input, with a bias or -1 as the third.

    Attributes:
        channel_axis: The dimension of output channels, along which int8 weights may have a scale each.
        scale_per_channel: Whether weights that are quantized here have a scale for each output channel; else one.
        multipliers: (input, weights, output, channels) -> multiplier and shift of each output channel, int32.
        largest_shift: Of a multiplier: with more to the left, accumulators leave int32 (`Multiplier`).
        rounds_once: Whether accumulators are multiplied with one rounding instead of two.
        may_have_zero_point: Whether weights of one scale may have a zero point other than 0.
        bias_in_files: Whether files must have a bias: LiteRT refuses the operator without.
    """

    channel_axis: int
    scale_per_channel: bool
    multipliers: Callable[
        [Quantization, Quantization, Quantization, int], tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]
    ]
    largest_shift: int = 31
    rounds_once: bool = False
    may_have_zero_point: bool = False
    bias_in_files: bool = False


@dataclass(frozen=True)
class Window:
    """A sliding window over images [N, H, W, C], each pair as (vertical, horizontal)."""

    filter_size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding

    def margins(self, image: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows of padding (above, below) and columns (left, right) around an image."""
        vertical, horizontal = (
            window_padding(image[1 + i], self.filter_size[i], self.stride[i], self.dilation[i], self.padding)
            for i in range(2)
        )
        return vertical, horizontal


@dataclass(frozen=True)
class Commuted:
    """An operator on the inputs of the TRANSPOSEs whose outputs it read.

    Attributes:
        op: With attributes for the other order of dimensions.
        permutation: By which its output is transposed to what it was.
    """

    op: Op
    permutation: Permutation


COMPUTED_TYPES = (DType.INT8, DType.FLOAT32)
"""Element types that operators compute with."""


@dataclass(frozen=True)
class OpSpec:
    """What the graph knows of an operator.

    Attributes:
        name: That of the TFLite schema's `BuiltinOperator`, or of a custom operator.
        description: What it computes, one line.
        support: Where it is supported, one line: a row of `docs/operators.md`.
        attributes: The class of its attributes.
        shapes: (operator, shapes of its inputs) -> the shape of its output, or a list of them, one for each output. Any
            value stands for an absent bias. Raises `GraphError` where they do not fit.
        reference: Computes it: in integers as LiteRT's reference kernels do, to the last bit, and in float32
            (`tinynas.graph.reference.Kernel`).
        inputs: The least and the most inputs that it takes.
        outputs: The least and the most outputs that it has.
        input_types: Element types of the first input.
        operand_types: Of the inputs behind it; empty: as the first one.
        output_types: Of the outputs; empty: as the first input.
        constant_inputs: What the last inputs hold that are constants in a file and attributes here. Where `inputs` has
            room for them, a file may leave them out or compute them.
        macs: (shapes of inputs, shape of output) -> multiply-accumulates, by the convention of `count_macs`.
        weights: The rules for its weights, if it has any.
        window: (operator, shapes of inputs) -> its sliding window, if it has one.
        elementwise: Whether each row of its output follows from the same row of its inputs.
        single_image: Whether kernels take a batch of one only.
        keeps_quantization: Whether values move without rescaling: inputs and outputs have one quantization.
        copies: Whether they do not even change (as in an average): nothing needs rounding again.
        moves_weights: Whether weights may pass through it, with a scale for each channel.
        fixed_output: The quantization that an int8 output must have, if there is only one.
        check: (operator, inputs, outputs, what messages start with): what its int8 kernel demands of scales and zero
            points beyond that. Raises `GraphError`.
        rescaling: (operator, quantizations of inputs and output): computes the factors between scales. Raises
            `ValueError` where the kernel's integers cannot hold them.
        table: (operator, quantization of input, of output, runtime) -> the int8 output for each of the 256 int8 inputs,
            from -128 on: of an operator of one input that computes each element on its own.
        folds: Whether it is computed in advance where all of its inputs are constant: it takes as long as its output is
            large, and sums up nothing, so that floats come out alike in any order. In int8, what has a `table` is, too.
        reads_shape_only: Whether its output follows from the shape of its input.
        is_identity: (operator): whether it changes no value, given that its one output has the shape, type and
            quantization of its first input.
        commuted: (operator, permutation, output) -> the operator in front of a TRANSPOSE of its inputs by that
            permutation; None where it would compute something else.
        rewritten: What becomes of it, if no kernel runs it.
        without_kernel: Why it needs no kernel although it is not rewritten; empty where it needs one.
    """

    name: str
    description: str
    support: str
    attributes: type[Attributes]
    shapes: Callable[[Op, Sequence[Shape]], Shape | list[Shape]]
    reference: Kernel
    inputs: tuple[int, int] = (1, 1)
    outputs: tuple[int, int] = (1, 1)
    input_types: tuple[DType, ...] = COMPUTED_TYPES
    operand_types: tuple[DType, ...] = ()
    output_types: tuple[DType, ...] = ()
    constant_inputs: tuple[str, ...] = ()
    macs: Callable[[Sequence[Shape], Shape], int] = lambda inputs, output: 0
    weights: Weights | None = None
    window: Callable[[Op, Sequence[Shape]], Window] | None = None
    elementwise: bool = False
    single_image: bool = False
    keeps_quantization: bool = False
    copies: bool = False
    moves_weights: bool = False
    fixed_output: Quantization | None = None
    check: Callable[[Op, Sequence[Tensor | None], Sequence[Tensor], str], None] | None = None
    rescaling: Callable[[Op, Sequence[Quantization]], object] | None = None
    table: Callable[[Op, Quantization, Quantization, Runtime], npt.NDArray[np.int8]] | None = None
    folds: bool = False
    reads_shape_only: bool = False
    is_identity: Callable[[Op], bool] = lambda op: False
    commuted: Callable[[Op, Permutation, Tensor], Commuted | None] | None = None
    rewritten: Rewritten | None = None
    without_kernel: str = ""

    def constants_of_file(self, op: Op) -> tuple[str, ...]:
        """Those of `constant_inputs` that a file has for an operator; none where the graph has them as inputs."""
        return () if len(op.inputs) > self.inputs[0] else self.constant_inputs

    def folds_to(self, dtype: DType) -> bool:
        """Whether an output of that type is computed in advance where all inputs are constant."""
        return self.folds or (self.table is not None and dtype is DType.INT8)

    @property
    def may_compute_constants(self) -> bool:
        """Whether a file may leave out or compute what its `constant_inputs` hold."""
        return bool(self.constant_inputs) and self.inputs[1] > self.inputs[0]

    @property
    def is_convolution(self) -> bool:
        """Whether it has weights and a window."""
        return self.weights is not None and self.window is not None


OPERATORS: Registry[OpSpec] = Registry("operator", OpSpec, GraphError, group="tinynas.operators")


def register_operator(spec: OpSpec) -> OpKind:
    """Make an operator known, for as long as the program runs; a second time, the same is no fault.

    Returns:
        Its kind.

    Raises:
        GraphError: The name is taken.
    """
    OPERATORS.register(spec)
    return OpKind(spec.name)


def is_operator(name: str) -> bool:
    """Whether there is an operator of that name; nothing is imported."""
    return name in OPERATORS.names()


def list_operators() -> list[Listed]:
    """Every operator by name, description and source; plugins are imported now, broken ones say why."""
    return OPERATORS.listed()
