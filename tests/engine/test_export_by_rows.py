"""The example of a line camera in the documentation, in C, with an exported network and a camera that loses sync."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
from host_models import zig

from tinynas.engine import ModelInfo, choose_input_by_rows, export
from tinynas.graph import DType, Graph, GraphBuilder, execute
from tinynas.latency import with_random_constants
from tinynas.lowering import DSP_LOWERING
from tinynas.memory import plan_arena

_PAGE = Path(__file__).parents[2] / "docs" / "streaming.md"
_ROWS, _WIDTH, _CHANNELS = 22, 18, 3
_INFO = ModelInfo("camera", scale=1 / 255, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))

# What becomes of the lines is in the file that is its argument: per event a byte, and behind a line its bytes.
_CAMERA = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "model.h"
void camera_start(uint8_t *even, uint8_t *odd, uint32_t line_bytes);
void wait_for_interrupt(void);
void use(const int8_t *output);
void camera_frame_begins(void);
void camera_line_is_full(void);
static uint8_t *buffer[2];
static uint32_t size, line;
void camera_start(uint8_t *even, uint8_t *odd, uint32_t line_bytes)
{
    buffer[0] = even;
    buffer[1] = odd;
    size = line_bytes;
}
static void transfer(void)
{
    if (fread(buffer[line % 2], 1, size, stdin) != size) {
        abort();
    }
    line++;
    camera_line_is_full();
}
void wait_for_interrupt(void)
{
    switch (getchar()) {
    case 'F':
        line = 0;
        camera_frame_begins();
        return;
    case 'L':
        transfer();
        return;
    case 'T': /* two lines at once: the main loop was away */
        transfer();
        transfer();
        return;
    default:
        exit(0);
    }
}
void use(const int8_t *output)
{
    fwrite(output, 1, TN_MODEL_OUTPUT_BYTES, stdout);
}
"""


def _network() -> Graph:
    b = GraphBuilder("camera", DType.INT8)
    x = b.conv_2d(b.input((1, _ROWS, _WIDTH, _CHANNELS)), 8, 3, stride=2, name="stem")
    y = b.depthwise_conv_2d(b.conv_2d(x, 24, 1, name="expand"), 5, name="depthwise")
    x = b.add(x, b.conv_2d(y, 8, 1, name="project"), name="sum")
    return with_random_constants(b.build([b.fully_connected(b.mean(x, name="pool"), 6, name="head")]), 3)


def _quantized(graph: Graph, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """As `model_quantize_input` does it, in float32."""
    quantization = graph.tensors[graph.inputs[0]].quantization
    assert quantization is not None
    mean, std = np.float32(_INFO.mean), np.float32(_INFO.std)
    ratio = (frame.astype(np.float32) * np.float32(_INFO.scale) - mean) / std / np.float32(quantization.scale)
    nearest = np.trunc(np.clip(ratio + np.copysign(np.float32(0.5), ratio), -512, 512)).astype(np.int64)
    return np.clip(nearest + quantization.zero_point, -128, 127).astype(np.int8)


def test_the_documented_camera_gets_the_outputs_of_complete_images(tmp_path: Path) -> None:
    graph = _network()
    schedule = choose_input_by_rows(graph, DSP_LOWERING).schedule
    project = tmp_path / "app"
    export(schedule, plan_arena(schedule), project, _INFO, prefix="model")
    (program,) = re.findall(r"```c\n(#include <stdbool.h>.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "main.c").write_text(program, encoding="utf-8")
    (tmp_path / "camera.c").write_text(_CAMERA, encoding="utf-8")
    sources = [*project.glob("*.c"), *project.glob("kernels/**/*.c")]
    flags = ("-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", f"-I{project}")
    zig(*flags, tmp_path / "main.c", tmp_path / "camera.c", *sources, "-o", tmp_path / "app.exe")

    rng = np.random.default_rng(7)
    frames = rng.integers(0, 256, (4, _ROWS, _WIDTH, _CHANNELS), np.uint8)
    lines = [[line.tobytes() for line in frame] for frame in frames]

    def whole(frame: list[bytes]) -> bytes:
        return b"F" + b"".join(b"L" + line for line in frame)

    # A frame, lines below its image, one that breaks off, one that is read too late, and two more.
    late = b"F" + b"".join(b"L" + line for line in lines[1][:5]) + b"T" + b"".join(lines[1][5:7])
    late += b"".join(b"L" + line for line in lines[1][7:])
    events = whole(lines[0]) + b"L" + lines[1][0] + whole(lines[1][:9]) + late + whole(lines[2]) + whole(lines[3])
    done = subprocess.run([tmp_path / "app.exe"], input=events, capture_output=True, check=True)

    expected = [execute(graph, [_quantized(graph, frames[i : i + 1])])[graph.outputs[0]].tobytes() for i in (0, 2, 3)]
    assert done.stdout == b"".join(expected)
