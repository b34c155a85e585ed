"""Random layers on emulated cores are right to the last byte, and the checks that say so can fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tinynas.boards import Toolchain, ZigToolchain
from tinynas.formats import write_tflite
from tinynas.graph import execute
from tinynas.kernels import CATALOGUE, InstructionSet, kernel_folder
from tinynas.targets import CORES, reference_boards
from tinynas.testing import run_litert
from tinynas.testing.layers import (
    LayerImage,
    LayerResult,
    StatefulKernelError,
    check_layers,
    layer_inputs,
    random_layer,
    random_segments,
)

_CORES = sorted(reference_boards())


def _check(first: int, count: int, core: str, toolchain: Toolchain, folder: Path) -> list[LayerResult]:
    layers = [random_layer(first, index, instruction_set=InstructionSet.of(CORES[core])) for index in range(count)]
    results = list(check_layers(LayerImage(layers, CORES[core], toolchain, folder)))
    assert [f"{r.description}: {r}" for r in results if not r.passed] == []
    return results


@pytest.mark.parametrize("core", _CORES)
def test_random_layers(core: str, tmp_path: Path) -> None:
    results = _check(_CORES.index(core), 60, core, ZigToolchain(), tmp_path)
    assert all(result.runs == 4 and result.instructions > 0 for result in results)


@pytest.mark.slow
@pytest.mark.parametrize("core", _CORES)
@pytest.mark.parametrize("first", range(100, 120))
def test_many_random_layers(first: int, core: str, toolchain: Toolchain, tmp_path: Path) -> None:
    _check(first, 100, core, toolchain, tmp_path)


def test_random_layers_meet_every_kernel_variant() -> None:
    layers = [random_layer(3, index, instruction_set=each) for each in InstructionSet for index in range(600)]
    layers += [random_layer(3, index, ("depthwise_3x3",)) for index in range(400)]
    assert {layer.variant for layer in layers} >= {
        variant.name for variant in CATALOGUE.values() if variant.kinds and not variant.keeps_sums
    }


def _check_segments(core: str, toolchain: Toolchain, folder: Path, **substitutes: Path) -> list[LayerResult]:
    networks = [random_segments(4, index, InstructionSet.of(CORES[core])) for index in range(16)]
    files = {f"{name}.c": path for name, path in substitutes.items()}
    return list(check_layers(LayerImage(networks, CORES[core], toolchain, folder, substitutes=files)))


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4f"])
def test_random_segments(core: str, toolchain: Toolchain, tmp_path: Path) -> None:
    results = _check_segments(core, toolchain, tmp_path)
    assert [f"{r.name}: {r.complaint}" for r in results if not r.passed] == []
    assert all(result.runs == 4 and result.tensors > 0 for result in results)


def test_random_segments_meet_every_kernel_that_may_be_streamed() -> None:
    networks = [random_segments(3, index, each) for each in InstructionSet for index in range(300)]
    alone = {"conv_2d", "conv_1x1", "add", "mul", "requantize", "average_pool_2d", "max_pool_2d"}
    assert set().union(*(network.schedule.variants for network in networks)) >= {"stream", *alone}
    steps = [network.schedule.steps for network in networks]
    assert 0.3 < sum(len(each) == 1 for each in steps) / len(steps) < 0.7
    assert sum(sum(step.stream is not None for step in each) > 1 for each in steps) > 50


@pytest.mark.parametrize(
    ("code", "instead", "found_in"),
    [
        ("const int32_t behind = layer->calls - state->calls;", "const int32_t behind = 1;", "differences"),
        ("const int8_t *from, int32_t bytes)\n{", "const int8_t *from, int32_t bytes)\n{to -= 64;", "writes_outside"),
        ("layer->padding + layer->extent", "layer->padding + layer->extent - 1", "differences"),
    ],
)
def test_a_segment_that_goes_wrong_is_found(code: str, instead: str, found_in: str, tmp_path: Path) -> None:
    source = (kernel_folder() / "streaming" / "advance.c").read_text()
    assert code in source
    broken = tmp_path / "advance.c"
    broken.write_text(source.replace(code, instead).replace('"advance.h"', '"kernels/streaming/advance.h"'))
    results = _check_segments("cortex-m4f", ZigToolchain(), tmp_path, advance=broken)
    assert any(getattr(result, found_in) for result in results)


def test_random_layers_have_a_reference() -> None:
    """However extreme the scales, LiteRT accepts the layer, and the executor says what it says."""
    told_apart = 0
    for index in range(80):
        layer = random_layer(7, index)
        graph = layer.schedule.graph
        content = write_tflite(graph)
        for inputs in layer_inputs(graph, np.random.default_rng(index))[1:]:
            output = execute(graph, inputs)[graph.outputs[0]]
            np.testing.assert_array_equal(output, run_litert(content, inputs)[graph.outputs[0]], layer.description)
            told_apart += output.min() < output.max()
    assert told_apart > 80, "most outputs saturate: such layers would hide mistakes"


@dataclass(frozen=True)
class Sabotage:
    """What a kernel does on top of its work, and which count of a result says so."""

    name: str
    code: str
    found_in: str


_SABOTAGE = [
    Sabotage("wrong bit", "output[0] = (int8_t)(output[0] ^ 1);", "differences"),
    Sabotage("write behind", "output[params->count] = 0;", "writes_outside"),
    Sabotage("write before", "output[-1] = 0;", "guard_bytes"),
    Sabotage("read before", "(void)*(const volatile int8_t *)(input - 1);", "reads_outside"),
    Sabotage("word that ends behind", "(void)*(const volatile word *)(input + params->count - 3);", "reads_outside"),
    Sabotage("result of a byte outside", "output[0] = input[-5];", "differences"),
    Sabotage("read behind its parameters", "(void)*(const volatile int32_t *)(params + 1);", "reads_outside"),
    Sabotage("uninitialized stack", "output[0] = ((volatile int8_t *)__builtin_frame_address(0))[-64];", "differences"),
    Sabotage("unmapped memory", "(void)*(const volatile int8_t *)0x60000000;", "stopped"),
    Sabotage("flash", "*(volatile int32_t *)0x08000000 = 0;", "stopped"),
    Sabotage("misaligned LDRD", '__asm volatile("ldrd r2, r3, [%0]" :: "r"(MISALIGNED) : "r2", "r3");', "stopped"),
    Sabotage("misaligned LDM", '__asm volatile("ldm %0, {r2, r3}" :: "r"(MISALIGNED) : "r2", "r3");', "stopped"),
]

_KERNEL = """
#define tn_requantize tn_requantize_as_it_should_be
#include "kernels/elementwise/requantize.c"
#undef tn_requantize
#define MISALIGNED (((uintptr_t)output & ~(uintptr_t)3) + 2u)
typedef int32_t __attribute__((aligned(1))) word;
void tn_requantize(const tn_requantize_params *params, const int8_t *input, int8_t *output);
{prologue}
void tn_requantize(const tn_requantize_params *params, const int8_t *input, int8_t *output)
{{
    tn_requantize_as_it_should_be(params, input, output);
    {code}
}}
"""


def _sabotaged(code: str, folder: Path, *, core: str = "cortex-m4f", prologue: str = "") -> LayerImage:
    kernel = folder / "sabotaged.c"
    kernel.write_text(_KERNEL.format(code=code, prologue=prologue))
    layers = [random_layer(0, index, ("quantize",)) for index in range(4)]
    substitutes = {"requantize.c": kernel}
    return LayerImage(layers, CORES[core], ZigToolchain(), folder, substitutes=substitutes)


@pytest.mark.parametrize("sabotage", _SABOTAGE, ids=lambda sabotage: sabotage.name)
def test_what_a_kernel_does_wrong_is_found(sabotage: Sabotage, tmp_path: Path) -> None:
    results = list(check_layers(_sabotaged(sabotage.code, tmp_path)))
    assert all(getattr(result, sabotage.found_in) for result in results)
    assert not any(result.passed for result in results)


def test_the_same_kernel_without_sabotage_passes(tmp_path: Path) -> None:
    assert all(result.passed for result in check_layers(_sabotaged("", tmp_path)))


def test_a_kernel_that_writes_its_input_is_found(tmp_path: Path) -> None:
    """Only where the output does not take the input's place."""
    image = _sabotaged("*(int8_t *)(uintptr_t)input = 0;", tmp_path)
    for layer, result in zip(image.layers, check_layers(image), strict=True):
        step = layer.schedule.steps[0]
        assert bool(result.writes_outside) == (step.output_buffer not in step.input_buffers)


def test_a_kernel_that_never_returns_is_found(tmp_path: Path) -> None:
    image = _sabotaged("for (;;) { *(volatile int8_t *)output = 0; }", tmp_path)
    assert "did not return" in next(check_layers(image)).fault


def test_a_cortex_m0plus_traps_any_misaligned_word(tmp_path: Path) -> None:
    image = _sabotaged("(void)*(const volatile int32_t *)MISALIGNED;", tmp_path, core="cortex-m0plus")
    assert all("unaligned" in result.fault and result.stopped for result in check_layers(image))


def test_a_kernel_with_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StatefulKernelError, match="state"):
        _sabotaged("calls++;", tmp_path, prologue="static volatile int calls;")
