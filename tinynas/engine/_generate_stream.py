"""The constants of a streamed segment: its layers' own, the table of its layers, and where everything lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinynas.kernels import CATALOGUE, ConstantArray, Fields
from tinynas.kernels.streaming import STREAMED_LAYER
from tinynas.lowering import Schedule, Step, Stream, StreamedLayer

_INPUT = "0"  # no call, no parameters: the entry for a segment's input is never called


@dataclass(frozen=True)
class Structures:
    """Parameter structures in flash, defined in a row.

    Attributes:
        type: The C type of one.
        name: What they are called.
        items: The fields of each.
        is_array: Whether they are declared as an array, even where there is one.
        is_static: Whether nothing outside the file names them.
    """

    type: str
    name: str
    items: tuple[Fields, ...]
    is_array: bool = False
    is_static: bool = False


@dataclass(frozen=True)
class Places:
    """C expressions for what a segment has in the arena.

    Attributes:
        input: Its input, or the window that its rows come to.
        output: Where its output is to be in the end.
        streamed_output: Where its output lies until it is complete.
        scratch: Bytes from the start of its scratch -> the address.
        begun: Where the word lies that says whether rows of the input have come; None where it is there as a whole.
    """

    input: str
    output: str
    streamed_output: str
    scratch: Callable[[int], str]
    begun: str | None = None


def stream_constants(
    schedule: Schedule, step: Step, name: str, layer_name: Callable[[StreamedLayer], str], places: Places
) -> tuple[tuple[ConstantArray, ...], tuple[Structures, ...]]:
    """The arrays and structures of a segment, in the order of definition: what is named comes first.

    Raises:
        MissingConstantsError: The graph is a skeleton.
    """
    assert step.stream is not None
    arrays: list[ConstantArray] = []
    structures: list[Structures] = []
    for layer in step.stream.layers:
        variant = CATALOGUE[layer.step.variant]
        packed = [variant.pack(call, layer_name(layer)) for call in schedule.streamed_calls(layer)]
        arrays += packed[0].arrays
        fields = tuple(constants.fields for constants in packed)
        structures.append(Structures(variant.parameters.name, layer_name(layer), fields, is_array=True, is_static=True))
    table = f"{name}_layers"
    entries = (_input_entry(schedule, step, places), *_entries(schedule, step.stream, layer_name, places))
    structures.append(Structures(STREAMED_LAYER.name, table, entries, is_array=True, is_static=True))
    segment: dict[str, str | int] = {
        "layers": table,
        "states": f"(tn_streamed_state *)(void *)({places.scratch(step.stream.states_offset)})",
        "last": len(step.stream.layers),
    }
    run: Fields = {"segment": segment}
    if places.begun is None:
        run |= {"output": places.output, "output_bytes": schedule.graph.tensors[step.output].size_bytes}
    else:
        run |= {"begun": f"(uint32_t *)(void *)({places.begun})"}
    return tuple(arrays), (*structures, Structures(CATALOGUE[step.variant].parameters.name, name, (run,)))


def _input_entry(schedule: Schedule, step: Step, places: Places) -> Fields:
    height, row_bytes = _rows(schedule, step.inputs[0])
    assert step.stream is not None
    window = step.stream.input_window_rows
    readers = [position for position, layer in enumerate(step.stream.layers, 1) if 0 in layer.operands]
    return {
        "rows": places.input,
        "row_bytes": row_bytes,
        "window_rows": height if window is None else window,
        "rows_in_all": height,
        "reader": f"{{ {readers[0]}, {readers[-1]} }}",
    }


def _entries(
    schedule: Schedule, stream: Stream, layer_name: Callable[[StreamedLayer], str], places: Places
) -> tuple[Fields, ...]:
    last = stream.layers[-1]
    return tuple(
        _entry(
            schedule,
            layer,
            layer_name(layer),
            places.streamed_output if layer is last else places.scratch(layer.window_offset),
            places.scratch(stream.scratch_offset if layer.sums_offset is None else layer.sums_offset),
        )
        for layer in stream.layers
    )


def _entry(schedule: Schedule, layer: StreamedLayer, parameters: str, rows: str, scratch: str) -> Fields:
    # Who adds rows to sums writes its output at one place, whatever row it has come to.
    height, row_bytes = _rows(schedule, layer.step.output) if layer.sums_offset is None else (layer.window_rows, 0)
    return {
        "call": f"model_call_{layer.step.variant}",
        "parameters": parameters,
        "scratch": scratch,
        "rows": rows,
        "row_bytes": row_bytes,
        "window_rows": layer.window_rows,
        "rows_per_call": layer.rows_per_call,
        "rows_in_all": height,
        "calls": layer.calls,
        "parameter_bytes": f"sizeof({parameters}[0])",
        "structures": len(layer.structures),
        "first_structures": len(layer.structures) - layer.last_structures,
        "last_structures": layer.last_structures,
        "operands": len(layer.operands),
        "operand": f"{{ {layer.operands[0]}, {layer.operands[-1]} }}",
        "stride": layer.stride,
        "extent": layer.extent,
        "padding": layer.step.padding[0],
        "reader": f"{{ {layer.readers[0]}, {layer.readers[-1]} }}",
    }


def _rows(schedule: Schedule, t: int) -> tuple[int, int]:
    """Rows of an image, and bytes of each."""
    _, height, width, channels = schedule.graph.tensors[t].shape
    return height, width * channels
