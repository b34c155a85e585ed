"""What a kernel variant is: when it applies, its C function, its constants, and what it costs in loop trips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from tinynas.graph import DType, Graph, Op, OpKind, Tensor, Window, sliding_window
from tinynas.kernels._constants import WORD, StepConstants
from tinynas.targets import Core

MAX_DIMENSION = 0xFFFF
"""Parameter structures hold dimensions, those of windows and padded planes included, in 16 bits."""

POINTER = 4
"""Bytes of a pointer on the cores we generate code for (all 32-bit)."""

KERNEL_FLAGS = ("-O2", "-fno-unroll-loops", "-fomit-frame-pointer")
"""How kernels must be compiled, with every toolchain: unrolled, a loop's instructions would no longer be a multiple of
its trips, and `KernelVariant.features` no longer explain them. What unrolling pays is written out in the sources."""

MODEL_FLAGS = (*KERNEL_FLAGS, "-fno-optimize-sibling-calls")
"""How generated code must be compiled: every step is a call, the last one too, so that all take the same bytes."""

NO_PADDING = (0, 0, 0, 0)


class InstructionSet(StrEnum):
    """What a core offers to kernels: which variants there are depends on nothing else."""

    DSP = "dsp"
    """Armv7E-M and Armv8-M Mainline with the DSP extension and a floating-point unit."""
    ARMV6M = "armv6-m"
    """Thumb with a multiplication of 32 bits and eight registers that most instructions reach."""
    PORTABLE = "portable"
    """Anything else: what the C compiler makes of portable code."""

    @classmethod
    def of(cls, core: Core) -> InstructionSet:
        """The instruction set of a core."""
        return cls(core.instruction_set)


ALL_INSTRUCTION_SETS = frozenset(InstructionSet)


def words(size_bytes: int) -> int:
    """Round up to whole words: what a constant object of `size_bytes` takes in flash."""
    return -(-size_bytes // WORD) * WORD


def pairs(count: int) -> int:
    """Pairs of `count` items, an odd last one counted as a pair."""
    return (count + 1) // 2


def channel_tables(channels: int) -> int:
    """Flash of separate tables of int32 biases, int32 multipliers and int8 shifts."""
    return 2 * words(4 * channels) + words(channels)


def _band(tensor: Tensor, rows: int | None) -> Tensor:
    """`tensor`, an image, with so many rows."""
    if rows is None or rows == tensor.shape[1]:
        return tensor
    shape = tensor.shape[0], rows, *tensor.shape[2:]
    return Tensor(tensor.name, shape, tensor.dtype, tensor.quantization, tensor.constant, tensor.data)


@dataclass(frozen=True)
class PartialSums:
    """Of a call that adds some rows of its input to sums, which outlive it.

    Attributes:
        begins: Whether it is the first call: nothing was added yet.
        ends: Whether it is the last one, which writes the output.
    """

    begins: bool
    ends: bool


@dataclass(frozen=True)
class KernelCall:
    """An operator about to become a step. `padding` is (top, bottom, left, right), fused PADs included."""

    graph: Graph
    op: Op
    padding: tuple[int, int, int, int] = NO_PADDING
    source: int = -1
    """The tensor that the kernel reads as its first input: `op.inputs[0]`, or what a fused PAD reads."""
    input_dies: bool = False
    """Whether nothing reads the first input afterwards, so that the output may take its place."""
    input_alone: bool = False
    """Whether the first input is all that is alive before the call, and dies there."""
    input_rows: int | None = None
    output_rows: int | None = None
    """Of a call that computes a band of rows: how many it reads and writes. None: all of them."""
    sums: PartialSums | None = None
    """Of a call that adds `input_rows` rows of its input to sums; None where it computes what it writes."""
    instruction_set: InstructionSet = InstructionSet.DSP
    """Of the core that executes it."""
    unlinked: frozenset[str] = frozenset()
    """Kernels that the local rule passes over to save their code."""
    whole: KernelCall | None = field(default=None, compare=False, repr=False)
    """The call that it computes some rows of: what rows do not change is asked of that one."""

    @cached_property
    def input(self) -> Tensor:
        return _band(self.graph.tensors[self.source if self.source >= 0 else self.op.inputs[0]], self.input_rows)

    def of_rows(
        self,
        input_rows: int,
        output_rows: int | None,
        padding: tuple[int, int, int, int],
        sums: PartialSums | None = None,
    ) -> KernelCall:
        """The call that computes some rows of it. Spelled out: planners make thousands, and `replace` takes longer."""
        return KernelCall(
            self.graph,
            self.op,
            padding,
            self.source,
            self.input_dies,
            self.input_alone,
            input_rows,
            output_rows,
            sums,
            self.instruction_set,
            self.unlinked,
            self.whole or self,
        )

    @cached_property
    def window(self) -> Window:
        """That of an operator that has one: of a convolution or a pool."""
        if self.whole is not None:
            return self.whole.window
        window = sliding_window(self.graph, self.op)
        assert window is not None, "only asked where there is one"
        return window

    @cached_property
    def known_general(self) -> dict[int, bool]:
        """What `is_general` has found for sums of some size."""
        return {}

    @property
    def weights(self) -> Tensor:
        return self.graph.tensors[self.op.inputs[1]]

    @cached_property
    def output(self) -> Tensor:
        return _band(self.graph.tensors[self.op.outputs[0]], self.output_rows)

    @property
    def has_constants(self) -> bool:
        """Whether the graph has the weights and scales of an operator with weights; a skeleton has none."""
        constants = [self.graph.tensors[i] for i in self.op.inputs[1:] if i >= 0]  # a bias may be left out
        quantized = (self.input, self.weights, self.output)
        return all(t.data is not None for t in constants) and all(t.quantization is not None for t in quantized)

    @property
    def operands(self) -> tuple[Tensor, ...]:
        """All inputs of an operator without weights, constants included."""
        return tuple(self.graph.tensors[i] for i in self.op.inputs)

    @property
    def constant_operand_bytes(self) -> int:
        """Bytes of constant int8 operands, for example of an ADD with a constant."""
        return sum(words(t.size_bytes) for t in self.operands if t.constant and t.dtype is DType.INT8)


@dataclass(frozen=True)
class ParameterStructure:
    """The C structure that kernels take their parameters from.

    Attributes:
        name: The C type.
        size_bytes: Its size on a 32-bit core, in whole words: generated code asserts it.
    """

    name: str
    size_bytes: int


@dataclass(frozen=True)
class KernelVariant:
    """One C kernel of the closed list.

    Attributes:
        name: Its name in schedules and reports.
        kinds: The operators it implements.
        of_tables: Whether it implements all operators that have a table (`OpSpec.table`), too.
        source: File in `firmware/kernels/`, in the folder of its family.
        symbol: The C function.
        parameters: Its parameter structure.
        applies: Whether the kernel can execute a call on the instruction sets it is for. The first variant in the
            catalogue's order that applies is the one that is used: a local rule, so that blocks can be lowered on
            their own.
        suits: Whether the kernel can execute a call with its weights and scales, too; asked where the graph has them.
            None: with all of them.
        constant_bytes: Flash taken by weights, biases, requantization tables and the parameter structure of a call,
            to the byte; needs shapes only.
        pack: Those constants: weight packing, and the fields of the parameter structure. Takes a call whose graph has
            constants, and the name that arrays begin with.
        features: Trip counts of the kernel's loops for a call. The instructions of a call are a linear function of
            them, exactly on cores with a 32 x 32 -> 64 bit multiplication (SOFTMAX, dilated windows and windows over
            borders: within 1 %); on Armv6-M portable C takes branches by its data, too. What weights and scales switch
            is a loop of its own: `general` ones of layers outside the limits of the short requantization, `clamped`
            ones where an activation is narrower than int8. A skeleton counts as calibrated networks do, with neither.
            `calls` is always 1 and stands for the fixed part.
        loops: What each feature counts.
        instruction_sets: Those it is for.
        keeps_sums: Adds some rows of its input to sums in its scratch, which outlives its calls, and writes the output
            in the last of them: for the last layer of a streamed segment (`KernelCall.sums`).
        few_rows: Preferred where a layer is streamed a few rows at a time: it does little for a call that it does again
            for the next one.
        last_resort: Considered behind the kernels of all families, since it executes any call, slowly.
        for_speed: Takes flash that the local rule does not spend: chosen for single steps of a finished network.
        helpers: Further files there with functions that the kernel calls.
        in_place: Whether the output may overwrite an input of the same size.
        shrinks: Whether a smaller output may overwrite the input of a call, at either of its ends.
        scratch_bytes: Bytes of scratch in the arena during the call.
    """

    name: str
    kinds: tuple[OpKind, ...]
    source: str
    symbol: str
    parameters: ParameterStructure
    applies: Callable[[KernelCall], bool]
    constant_bytes: Callable[[KernelCall], int]
    pack: Callable[[KernelCall, str], StepConstants]
    features: Callable[[KernelCall], dict[str, float]]
    loops: Mapping[str, str]
    of_tables: bool = False
    instruction_sets: frozenset[InstructionSet] = ALL_INSTRUCTION_SETS
    for_speed: bool = False
    keeps_sums: bool = False
    few_rows: bool = False
    last_resort: bool = False
    helpers: tuple[str, ...] = ()
    in_place: bool = False
    shrinks: Callable[[KernelCall], bool] = lambda call: False
    suits: Callable[[KernelCall], bool] | None = None
    scratch_bytes: Callable[[KernelCall], int] = lambda call: 0

    def implements(self, kind: OpKind) -> bool:
        """Whether it is a kernel of that operator."""
        return kind in self.kinds or (self.of_tables and kind.spec.table is not None)

    def executes(self, call: KernelCall) -> bool:
        """Whether the kernel can execute a call on the core that the call is for."""
        if self.keeps_sums != (call.sums is not None) or call.instruction_set not in self.instruction_sets:
            return False
        return self.applies(call)

    @property
    def sources(self) -> tuple[str, ...]:
        """All files in `firmware/kernels/` that the kernel consists of."""
        return (self.source, *self.helpers)

    @property
    def header(self) -> str:
        """The file in `firmware/kernels/` that declares the kernel and its parameter structure."""
        family, _, _ = self.source.partition("/")
        return f"{family}/{family}.h"


def always(call: KernelCall) -> bool:
    """The `applies` of a variant that executes every call of its kinds."""
    return True


def structure_only(structure: ParameterStructure) -> Callable[[KernelCall], int]:
    """The `constant_bytes` of a kernel whose only constants are its parameters."""
    return lambda call: structure.size_bytes


def structure_and_operands(structure: ParameterStructure) -> Callable[[KernelCall], int]:
    """The `constant_bytes` of a kernel whose operands may be constants."""
    return lambda call: structure.size_bytes + call.constant_operand_bytes
