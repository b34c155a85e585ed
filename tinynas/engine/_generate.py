"""The code generator: a schedule, its arena plan and its constants become C."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from tinynas.engine._generate_stream import Places, Structures, stream_constants
from tinynas.engine._model_info import ModelInfo
from tinynas.graph import OpKind, short_name
from tinynas.kernels import (
    CATALOGUE,
    POINTER,
    ConstantArray,
    KernelVariant,
    ParameterStructure,
    StepConstants,
    kernel_folder,
    quantization_of,
)
from tinynas.kernels.streaming import SEGMENTS, STREAM_ROWS, STREAMED_LAYER, STREAMED_STATE
from tinynas.lowering import Schedule, Step, StreamedLayer, operand_positions
from tinynas.memory import MemoryPlan

_IDENTIFIER = 48
_BEGUN = "ARENA_BEGUN"
"""The name of the arena offset of the word that says whether rows of an image have come."""


@dataclass(frozen=True)
class GeneratedModel:
    """The generated files of a model, and what they take.

    Attributes:
        directory: Where they lie.
        sources: The C files to compile: `model.c` (a second time with -DTN_PROFILE to profile) and its constants.
        kernel_sources: The kernels the model calls, in `firmware/kernels/`.
        constant_bytes: Flash taken by weights, tables and parameters on a 32-bit core, to the byte.
        arena_bytes: SRAM taken by activations, input and output included.
    """

    directory: Path
    sources: tuple[Path, ...]
    kernel_sources: tuple[Path, ...]
    constant_bytes: int
    arena_bytes: int


@dataclass(frozen=True)
class _GeneratedStep:
    """What the templates print of one step.

    `memory` says which buffers of the arena it reads and writes, `reason` why it has its kernel, where that was chosen.
    `arrays` and `structures` are what it defines, `operands` those of the arrays that are named elsewhere.
    `addresses` are pairs of the member of `tn_address` and its initializer: parameters, operands, output, scratch.
    """

    name: str
    comment: str
    memory: str
    reason: str
    call: _KernelFunction
    streamed_calls: tuple[_KernelFunction, ...]
    arrays: tuple[ConstantArray, ...]
    operands: tuple[ConstantArray, ...]
    structures: tuple[Structures, ...]
    addresses: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _KernelFunction:
    """The generated function that calls one kernel with the next addresses of the table.

    `arguments` are the members of `tn_address` that it reads: what may be constant first, then what is written.
    """

    name: str
    symbol: str
    arguments: tuple[str, ...]


def generate(schedule: Schedule, plan: MemoryPlan, directory: Path, info: ModelInfo | None = None) -> GeneratedModel:
    """Write `model.h`, `model.c`, `model_constants.h` and `model_constants.c` into `directory`.

    The output depends on the arguments alone: the same model gives the same files.

    Raises:
        MissingConstantsError: The graph is a skeleton.
        UnsupportedGraphError: A quantization that the kernels cannot represent.
    """
    info = info or ModelInfo(schedule.graph.name)
    offsets = _offset_names(schedule, plan)
    steps = [
        _generate_step(schedule, step, offsets)
        if step.stream is None
        else _generate_segment(schedule, step, offsets, plan.streamed_offsets.get(step.index))
        for step in schedule.steps
    ]
    directory.mkdir(parents=True, exist_ok=True)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tinynas.engine"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"c_string": _c_string, "comment": _comment, "float32": _float32, "number": "{:.9g}".format}
    context = {
        "info": info,
        "schedule": schedule,
        "plan": plan,
        "steps": steps,
        "calls": sorted(
            {call for s in steps for call in (s.call, *s.streamed_calls) if call.name != STREAM_ROWS.name},
            key=lambda call: call.name,
        ),
        "offsets": [
            (offsets[buffer.index], plan.offsets[buffer.index], _buffer_comment(schedule, buffer.index))
            for buffer in schedule.buffers
        ]
        + [
            (_scratch_name(step), plan.scratch_offsets[step.index], f"scratch: {step.scratch_bytes} bytes")
            for step in schedule.steps
            if step.scratch_bytes
        ]
        + ([] if plan.begun_offset is None else [(_BEGUN, plan.begun_offset, "whether rows of an image have come")]),
        "by_rows": schedule.input_by_rows,
        "inputs": [_interface(schedule, t, offsets, info) for t in schedule.inputs],
        "outputs": [_interface(schedule, t, offsets, info) for t in schedule.outputs],
        "arena_bytes": plan.arena_bytes,
        "constant_bytes": _constant_bytes(schedule),
        "kernels": [path.name for path in kernel_sources(schedule)],
        "structures": _structures(schedule),
        "headers": sorted({CATALOGUE[name].header for name in schedule.variants}),
    }
    for name in _FILES:
        (directory / name).write_text(environment.get_template(f"{name}.j2").render(context), encoding="utf-8")
    return GeneratedModel(
        directory=directory,
        sources=tuple(directory / name for name in _FILES if name.endswith(".c")),
        kernel_sources=kernel_sources(schedule),
        constant_bytes=_constant_bytes(schedule),
        arena_bytes=plan.arena_bytes,
    )


_FILES = ("model.h", "model.c", "model_constants.h", "model_constants.c")


def _constant_bytes(schedule: Schedule) -> int:
    """Flash of all constants: those of the steps, and the addresses of inputs and outputs."""
    interface = POINTER * (len(schedule.held_inputs) + len(schedule.outputs))
    return interface + sum(step.constant_bytes for step in schedule.steps)


def _structures(schedule: Schedule) -> list[ParameterStructure]:
    """The structures of a schedule's kernels, whose sizes the constants are counted by, sorted by name."""
    found = {CATALOGUE[name].parameters for name in schedule.variants}
    if not schedule.variants.isdisjoint(SEGMENTS):
        found |= {STREAMED_LAYER, STREAMED_STATE}
    return sorted(found, key=lambda structure: structure.name)


def kernel_sources(schedule: Schedule) -> tuple[Path, ...]:
    """The kernel files that a schedule needs, sorted by name."""
    sources = {source for name in schedule.variants for source in CATALOGUE[name].sources}
    return tuple(sorted((kernel_folder() / source for source in sources), key=lambda path: path.name))


def _generate_step(schedule: Schedule, step: Step, offsets: Mapping[int, str]) -> _GeneratedStep:
    graph, op = schedule.graph, schedule.graph.ops[step.ops[-1]]
    variant = CATALOGUE[step.variant]
    call = schedule.call(step)
    name = _constant_name(schedule, step.index)
    constants = variant.pack(call, name)
    defines, output_offset = True, 0
    arena = [f"model_arena + {offsets[buffer]}" for buffer in step.input_buffers]
    if step.band is not None:
        arena = [_moved(address, by) for address, by in zip(arena, step.band.input_offsets, strict=True)]
        output_offset = step.band.output_offset
        # One set of weights for all patches, and one structure for all patches of one shape.
        weights = _constant_name(schedule, step.band.weights_step)
        defines = step.band.parameters_step == step.index
        constants = variant.pack(call, weights)
        name = _constant_name(schedule, step.band.parameters_step)
        if step.band.weights_step != step.index:
            constants = StepConstants((), constants.fields, {})
    address_of = dict(zip(step.inputs, arena, strict=True))
    # A convolution reads what its fused PAD read.
    read = step.inputs if op.weights is not None else op.inputs

    def operand(position: int) -> tuple[str, str]:
        constant = constants.operands.get(position)
        return ("arena", address_of[read[position]]) if constant is None else ("constant", constant)

    operands = [operand(position) for position in operand_positions(call)]
    if op.kind is OpKind.CONCATENATION:
        table = ConstantArray(
            f"{name}_inputs", "const int8_t *", tuple(operand(position)[1] for position in range(len(read)))
        )
        constants = StepConstants((*constants.arrays, table), constants.fields, constants.operands)
    written = [_moved(f"model_arena + {offsets[step.output_buffer]}", output_offset)]
    if step.scratch_bytes:
        written.append(f"model_arena + {_scratch_name(step)}")
    shapes = " and ".join(_shape(graph.tensors[t].shape) for t in step.inputs)
    macs = f", {step.macs:,} MACs" if step.macs else ""
    kinds = " + ".join(str(graph.ops[i].kind) for i in step.ops)
    title = f"{step.index} {_short(step.name)}"
    arrays = constants.arrays if defines else ()
    return _GeneratedStep(
        name=name,
        comment=f"{title}: {kinds} {shapes} -> {_shape(call.output.shape)}{macs}",
        memory=_memory(step, offsets),
        reason=step.reason,
        call=_kernel_function(variant, len(operands), len(written)),
        streamed_calls=(),
        arrays=arrays,
        operands=tuple(array for array in arrays if array.name in constants.operands.values()),
        structures=(Structures(variant.parameters.name, name, (constants.fields,)),) if defines else (),
        addresses=(("constant", f"&{name}"), *operands, *(("arena", address) for address in written)),
    )


def _generate_segment(
    schedule: Schedule, step: Step, offsets: Mapping[int, str], streamed_offset: int | None
) -> _GeneratedStep:
    """A streamed segment. `streamed_offset` is where its output lies until it is complete, if not where it is to be."""
    assert step.stream is not None
    layers = step.stream.layers
    graph, name = schedule.graph, _constant_name(schedule, step.index)
    output = f"model_arena + {offsets[step.output_buffer]}"
    pushed = step.stream.input_window_rows is not None
    places = Places(
        input=f"model_arena + {_scratch_name(step) if pushed else offsets[step.input_buffers[0]]}",
        output=output,
        streamed_output=output if streamed_offset is None else _moved("model_arena", streamed_offset),
        scratch=lambda offset: _moved(f"model_arena + {_scratch_name(step)}", offset),
        begun=f"model_arena + {_BEGUN}" if pushed else None,
    )

    def layer_name(layer: StreamedLayer) -> str:
        return f"model_{step.index}_{layers.index(layer) + 1}_{_identifier(layer.step.name)}"

    arrays, structures = stream_constants(schedule, step, name, layer_name, places)
    shapes = " -> ".join(_shape(graph.tensors[t].shape) for t in (step.inputs[0], step.output))
    variants = [(CATALOGUE[layer.step.variant], layer) for layer in layers]
    return _GeneratedStep(
        name=name,
        comment=f"{step.index} {_short(step.name)}: {len(layers)} layers {shapes}, {step.macs:,} MACs",
        memory=_memory(step, offsets),
        reason=step.reason,
        call=_kernel_function(CATALOGUE[step.variant], 0, 0),
        streamed_calls=tuple(
            _kernel_function(variant, len(layer.operands), 1 + (layer.step.scratch_bytes > 0))
            for variant, layer in variants
        ),
        arrays=arrays,
        operands=(),
        structures=structures,
        addresses=(("constant", f"&{name}"),),
    )


def _kernel_function(variant: KernelVariant, operands: int, written: int) -> _KernelFunction:
    return _KernelFunction(variant.name, variant.symbol, ("constant",) * (1 + operands) + ("arena",) * written)


def _identifier(text: str) -> str:
    """`text` as part of a C identifier: letters, digits and single underscores.

    TFLite's converter joins the names of everything that it fused, as in `net/conv/Relu;net/bn/FusedBatchNorm`; the
    last two parts of the first of them are enough to recognise a layer.
    """
    parts = text.split(";")[0].split("/")[-2:]
    return re.sub(r"[^0-9A-Za-z]+", "_", "_".join(parts)).strip("_")[:_IDENTIFIER]


def _constant_name(schedule: Schedule, index: int) -> str:
    """The name of a step's parameter structure, and the prefix of its arrays."""
    step = schedule.steps[index]
    return f"model_{index}_{_identifier(step.name or schedule.graph.ops[step.ops[-1]].kind.lower())}"


def _moved(address: str, by: int) -> str:
    return f"{address} + {by}" if by else address


def _memory(step: Step, offsets: Mapping[int, str]) -> str:
    """Which buffers of the arena a step reads and writes."""
    read = " and ".join(dict.fromkeys(offsets[buffer] for buffer in step.input_buffers)) or "rows of the input"
    where = f"reads {read}, writes {offsets[step.output_buffer]}"
    if step.output_buffer in step.input_buffers:
        where += " (in place)"
    if step.scratch_bytes:
        where += f", {step.scratch_bytes:,} bytes of scratch at {_scratch_name(step)}"
    return where


def _scratch_name(step: Step) -> str:
    """The name of the arena offset of a step's scratch."""
    return f"SCRATCH_{step.index}"


def _offset_names(schedule: Schedule, plan: MemoryPlan) -> dict[int, str]:
    """Buffer index -> the name of its arena offset."""
    names: dict[int, str] = {}
    for buffer in schedule.buffers:
        text = _identifier(schedule.graph.tensors[buffer.tensors[0]].name).upper()
        names[buffer.index] = f"ARENA_{buffer.index}_{text}" if text else f"ARENA_{buffer.index}"
    return names


def _buffer_comment(schedule: Schedule, index: int) -> str:
    buffer = schedule.buffers[index]
    shapes = ", ".join(_shape(schedule.graph.tensors[t].shape) for t in buffer.tensors)
    if buffer.rows is not None:
        shapes = f"rows {buffer.rows[0]} to {buffer.rows[1] - 1} of {shapes}"
    return f"{shapes}: {buffer.size_bytes} bytes, steps {buffer.first_step} to {buffer.last_step}"


@dataclass(frozen=True)
class _Interface:
    """An input or output of the network, for the templates."""

    name: str
    shape: tuple[int, ...]
    size_bytes: int
    offset: str
    scale: float
    zero_point: int
    uint8_in_file: bool


def _interface(schedule: Schedule, t: int, offsets: Mapping[int, str], info: ModelInfo) -> _Interface:
    tensor = schedule.graph.tensors[t]
    quantization = quantization_of(tensor)
    return _Interface(
        name=_short(tensor.name),
        shape=tensor.shape,
        size_bytes=tensor.size_bytes,
        offset=offsets[schedule.buffer_of[t]] if t in schedule.buffer_of else "",
        scale=quantization.scale,
        zero_point=quantization.zero_point,
        uint8_in_file=tensor.name in info.uint8_tensors,
    )


def _shape(shape: tuple[int, ...]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _comment(text: str) -> str:
    """`text` made safe inside a C comment."""
    return "".join(c if c.isprintable() else " " for c in text).replace("*/", "* /").replace("/*", "/ *")


def _short(name: str) -> str:
    """A name for a C comment, its ellipsis in ASCII."""
    return _comment(short_name(name).replace("…", "..."))


def _c_string(text: str) -> str:
    """`text` as a C string literal."""
    escaped = (c if " " <= c <= "~" and c not in '"\\?' else "".join(f"\\{b:03o}" for b in c.encode()) for c in text)
    return '"' + "".join(escaped) + '"'


def _float32(value: float) -> str:
    """`value` as a C float literal with all digits of a float32."""
    digits = f"{value:.9g}"
    return f"{digits}f" if any(c in digits for c in ".e") else f"{digits}.0f"
