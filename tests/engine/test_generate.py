"""What the generator writes: constants to the byte, a header that says everything, the same files every time."""

from __future__ import annotations

import ctypes
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from arm_targets import ARM_TARGETS, compile_for, section_bytes, undefined_symbols
from host_models import INCLUDE, WARNINGS, zig
from network_cases import channel_buffers, constant_operands, filled, random_graphs
from stream_cases import pushed_plans, random_network, random_plans

from tinynas.engine import MissingConstantsError, ModelInfo, generate
from tinynas.graph import DType, Graph, GraphBuilder, Quantization
from tinynas.kernels import CATALOGUE, InstructionSet, UnsupportedGraphError
from tinynas.latency import with_random_constants
from tinynas.lowering import PatchPlan, Schedule, lower
from tinynas.memory import plan_arena
from tinynas.testing.layers import for_speed, random_segments


def classifier() -> Graph:
    b = GraphBuilder("classifier", DType.INT8)
    x = b.conv_2d(b.input((1, 8, 8, 3)), 8, 3, stride=2, name="stem")
    x = b.add(x, b.conv_2d(x, 8, 1, name="branch"), name="sum")
    x = b.fully_connected(b.mean(x, name="pool"), 3, name="head")
    return filled(b.build([b.softmax(x, name="probabilities")]))


def write(graph: Graph, folder: Path, info: ModelInfo | None = None) -> str:
    schedule = lower(graph)
    generate(schedule, plan_arena(schedule), folder, info)
    return (folder / "model.h").read_text(encoding="utf-8")


def test_constant_bytes_are_what_the_object_file_holds(tmp_path: Path) -> None:
    seen: set[str] = set()
    graphs = [constant_operands(), channel_buffers(), *random_graphs(range(40))]
    schedules = [lower(graph, instruction_set=core) for graph, core in itertools.product(graphs, InstructionSet)]
    schedules += [for_speed(schedule) for schedule in schedules]
    streamable = [(graph, seed) for seed in range(8) for graph in [random_network(seed)]]
    for plans in (random_plans, pushed_plans):
        schedules += [lower(graph, streams=plan) for graph, seed in streamable for plan in plans(graph, seed)]
    schedules += [random_segments(1, index).schedule for index in range(40)]
    for i, schedule in enumerate(schedules):
        if schedule.variants <= seen:
            continue  # for the sake of time
        seen |= schedule.variants
        assert_constant_bytes(schedule, tmp_path / str(i))
    assert seen == set(CATALOGUE)


@pytest.mark.parametrize("core", InstructionSet)
def test_constant_bytes_of_segments_are_what_the_object_file_holds(core: InstructionSet, tmp_path: Path) -> None:
    for index in range(12):
        assert_constant_bytes(random_segments(2, index, core).schedule, tmp_path / str(index))


def assert_constant_bytes(schedule: Schedule, folder: Path) -> None:
    model = generate(schedule, plan_arena(schedule), folder)
    output = folder / "constants.o"
    compile_for("cortex-m4f", [model.directory / "model_constants.c"], output)
    addresses = 4 * (len(schedule.held_inputs) + len(schedule.outputs))
    expected = addresses + sum(step.constant_bytes for step in schedule.steps)
    assert section_bytes(output, ".rodata") == model.constant_bytes == expected
    assert section_bytes(output, ".data") == 0


def test_constants_that_are_counted_wrong_do_not_compile(tmp_path: Path) -> None:
    schedule = lower(classifier())
    generate(schedule, plan_arena(schedule), tmp_path)
    constants = tmp_path / "model_constants.c"
    asserted = re.findall(r"sizeof\((tn_\w+)\) == (\d+)", constants.read_text())
    structures = {CATALOGUE[name].parameters for name in schedule.variants}
    assert asserted == sorted((structure.name, str(structure.size_bytes)) for structure in structures)
    name, size = asserted[0]
    constants.write_text(
        constants.read_text().replace(f"sizeof({name}) == {size}", f"sizeof({name}) == {int(size) + 4}")
    )
    with pytest.raises(AssertionError, match="static assertion failed"):
        compile_for("cortex-m0plus", [constants], tmp_path / "constants.o")


def test_the_code_of_a_model_holds_no_constants_and_calls_only_its_kernels(tmp_path: Path) -> None:
    schedule = lower(classifier())
    model = generate(schedule, plan_arena(schedule), tmp_path)
    kernels = {CATALOGUE[name].symbol for name in schedule.variants}
    calls = {f"model_call_{name}" for name in schedule.variants}
    for flags, expected in (((), kernels), (("-DTN_PROFILE",), calls | {"hal_ticks"})):
        output = tmp_path / "model.o"
        compile_for("cortex-m0plus", [tmp_path / "model.c"], output, *flags)
        needed = {name for name in undefined_symbols(output) if not name.startswith("__aeabi_unwind")}
        assert needed == expected | {"model_steps"} | ({"model_inputs", "model_outputs"} if not flags else set())
        assert section_bytes(output, ".rodata") == 0
        assert section_bytes(output, ".bss") == (0 if flags else model.arena_bytes)


@pytest.mark.parametrize("core", ARM_TARGETS)
def test_every_step_takes_the_same_code(core: str, tmp_path: Path) -> None:
    """Whatever its kernel and its addresses are: 4 bytes in the inference, 24 in the profiled one."""
    sizes: dict[str, dict[int, set[int]]] = {"": {}, "-DTN_PROFILE": {}}
    for i, (graph, patches) in enumerate([*((g, None) for g in random_graphs(range(6))), *patched_stages()]):
        schedule = lower(graph, patches)
        generate(schedule, plan_arena(schedule), tmp_path / str(i))
        for flag, of_steps in sizes.items():
            output = tmp_path / "model.o"
            compile_for(core, [tmp_path / str(i) / "model.c"], output, *([flag] if flag else []))
            name = ".text.model_invoke_profiled" if flag else ".text.model_invoke"
            of_steps.setdefault(len(schedule.steps), set()).add(section_bytes(output, name))
    for of_steps, step_bytes in zip(sizes.values(), (4, 24), strict=True):
        assert len(of_steps) > 4
        assert len({size - step_bytes * steps for steps, found in of_steps.items() for size in found}) == 1


def patched_stages() -> list[tuple[Graph, PatchPlan]]:
    return [(classifier(), PatchPlan(3, patches)) for patches in (2, 4)]


def test_profiled_inference_counts_every_step(tmp_path: Path) -> None:
    schedule = lower(classifier())
    model = generate(schedule, plan_arena(schedule), tmp_path)
    clock = tmp_path / "clock.c"
    clock.write_text("#include <stdint.h>\nuint32_t now; uint32_t hal_ticks(void) { return now += 7; }\n")
    profiled = tmp_path / "profiled.o"
    zig("-DTN_PROFILE", "-fPIC", *WARNINGS, f"-I{INCLUDE}", "-c", tmp_path / "model.c", "-o", profiled)
    library = tmp_path / "profiled.so"
    zig("-shared", "-fPIC", f"-I{INCLUDE}", "-o", library, clock, profiled, *model.sources, *model.kernel_sources)
    loaded = ctypes.CDLL(str(library))
    steps = len(schedule.steps)
    ticks = (ctypes.c_uint32 * (steps + 1))(*[99] * (steps + 1))
    loaded.model_invoke_profiled(ticks)
    assert list(ticks) == [7] * steps + [99]


def test_the_header_tells_the_application_engineer_everything(tmp_path: Path) -> None:
    graph = classifier()
    info = ModelInfo("fashion", "Fashion-MNIST */ 91 %", ("T-shirt/top", 'say "hi"?', "été"), 1 / 255, (0.5,), (0.25,))
    header = write(graph, tmp_path, info)
    schedule = lower(graph)
    x, y = graph.tensors[schedule.inputs[0]], graph.tensors[schedule.outputs[0]]
    assert x.quantization is not None
    assert '#define TN_MODEL_NAME "fashion"' in header
    assert "#define TN_MODEL_INPUT_BYTES 192" in header
    assert "#define TN_MODEL_OUTPUT_BYTES 3" in header
    assert f"#define TN_MODEL_INPUT_ZERO_POINT ({x.quantization.zero_point})" in header
    assert f"#define TN_MODEL_ARENA_BYTES {plan_arena(schedule).arena_bytes}" in header
    assert f"#define TN_MODEL_STEPS {len(schedule.steps)}" in header
    assert "NHWC" in header
    for fact in ("-fomit-frame-pointer", "-mfloat-abi=hard", "-DTN_PORTABLE", "CPACR", "UNALIGN_TRP", "__aeabi_lmul"):
        assert fact in header
    assert "Fashion-MNIST * / 91 %" in header
    assert y.quantization is not None
    assert "#define TN_MODEL_OUTPUT_SCALE 0.00390625f" in header


def test_comments_name_buffers_and_keep_joined_names_short(tmp_path: Path) -> None:
    b = GraphBuilder("main", DType.INT8)
    joined = "net/conv_1/Relu;net/bn/FusedBatchNorm;net/conv_1/BiasAdd/ReadVariableOp/resource"
    x = b.conv_2d(b.input((1, 8, 8, 4)), 8, 3, name=joined)
    graph = filled(b.build([b.mean(x, name="pool")]))
    write(graph, tmp_path)
    schedule = lower(graph)
    source = (tmp_path / "model.c").read_text()
    assert f"0 net/conv_1/Relu: CONV_2D [1,8,8,4] -> [1,8,8,8], {schedule.steps[0].macs:,} MACs" in source
    scratch = f"{schedule.steps[0].scratch_bytes:,} bytes of scratch at SCRATCH_0"
    assert f" * reads ARENA_0_INPUT, writes ARENA_1_CONV_1_RELU, {scratch} */" in source
    assert not any(joined in path.read_text() for path in tmp_path.iterdir())
    assert max(map(len, source.splitlines())) <= 128


def test_labels_and_input_normalisation_as_an_application_would_use_them(tmp_path: Path) -> None:
    graph = classifier()
    labels = ("T-shirt/top", 'say "hi"? \\ ??/', "été")
    write(graph, tmp_path, ModelInfo("m", "", labels, 1 / 255, (0.5, 0.4, 0.3), (0.25, 0.2, 0.1)))
    source = tmp_path / "application.c"
    source.write_text(
        '#include "model.h"\n'
        "const char *const labels[TN_MODEL_CLASSES] = TN_MODEL_LABELS;\n"
        "const char *label(int i) { return labels[i]; }\n"
        "int quantize(int raw, int channel) { return model_quantize_input((float)raw, channel); }\n"
    )
    library = tmp_path / "application.so"
    zig("-shared", "-fPIC", *WARNINGS, f"-I{tmp_path}", "-o", library, source)
    loaded = ctypes.CDLL(str(library))
    loaded.label.restype = ctypes.c_char_p
    assert tuple(loaded.label(i).decode() for i in range(3)) == labels
    quantization = graph.tensors[graph.inputs[0]].quantization
    assert quantization is not None
    raw = np.arange(256, dtype=np.float32)
    for channel, (mean, std) in enumerate(((0.5, 0.25), (0.4, 0.2), (0.3, 0.1))):
        ratio = (raw / 255 - mean) / std / quantization.scale
        exact = np.clip(np.trunc(ratio + np.copysign(0.5, ratio)) + quantization.zero_point, -128, 127)
        assert np.abs([loaded.quantize(int(v), channel) for v in raw] - exact).max() <= 1
        assert np.mean([loaded.quantize(int(v), channel) for v in raw] == exact) > 0.98


def test_generation_is_reproducible(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(classifier(), tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_skeleton_cannot_be_generated(tmp_path: Path) -> None:
    b = GraphBuilder("skeleton", DType.INT8)
    graph = b.build([b.conv_2d(b.input((1, 4, 4, 2)), 4, 3, name="stem")])
    with pytest.raises(MissingConstantsError, match="stem/weights"):
        write(graph, tmp_path)


def test_asymmetric_weights_are_refused(tmp_path: Path) -> None:
    graph = classifier()
    tensors = list(graph.tensors)
    index = graph.ops[0].inputs[1]
    tensors[index] = replace(tensors[index], quantization=Quantization((0.01,), (3,)))
    with pytest.raises(UnsupportedGraphError, match=r"'stem'.*zero point"):
        write(replace(graph, tensors=tuple(tensors)), tmp_path)


def test_concatenation_ignores_the_axis_of_a_single_scale(tmp_path: Path) -> None:
    """Files write any `quantized_dimension` where it carries no information."""
    b = GraphBuilder("joined", DType.INT8)
    x = b.input((1, 4, 4, 3))
    graph = with_random_constants(
        b.build([b.concatenation([x, b.max_pool_2d(x, 1, name="pool")], name="join")]), seed=1
    )
    tensors = tuple(
        replace(t, quantization=replace(t.quantization, axis=i % 4)) if t.quantization is not None else t
        for i, t in enumerate(graph.tensors)
    )
    schedule = lower(replace(graph, tensors=tensors))
    assert generate(schedule, plan_arena(schedule), tmp_path).kernel_sources
