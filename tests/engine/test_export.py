"""An exported folder builds by itself, with the compiler and the flags of its user."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from host_models import zig
from network_cases import filled

from tinynas.engine import ModelInfo, export
from tinynas.graph import DType, GraphBuilder
from tinynas.graph.reference import execute
from tinynas.lowering import lower
from tinynas.memory import plan_arena


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_an_exported_folder_builds_elsewhere_and_runs(tmp_path: Path) -> None:
    b = GraphBuilder("exported", DType.INT8)
    x = b.conv_2d(b.input((1, 12, 12, 2)), 4, 3, stride=2, name="stem")
    x = b.add(x, b.conv_2d(x, 4, 1, name="branch"), name="sum")
    graph = filled(b.build([b.fully_connected(b.mean(x, name="pool"), 3, name="head")]))
    schedule = lower(graph)
    original = tmp_path / "generated"
    model = export(schedule, plan_arena(schedule), original, ModelInfo("cat $(shell false) #detector\nv2"))
    assert {path.name for path in model.kernel_sources} == {
        "add.c",
        "clamp_outputs.c",
        "conv_1x1.c",
        "conv_2d_im2col.c",
        "gemm_2x4.c",
        "fully_connected_in_fours.c",
        "mean.c",
        "pixel_columns.c",
        "window_columns.c",
    }
    assert all(path.is_relative_to(original) for path in model.kernel_sources)

    elsewhere = tmp_path / "my project"
    shutil.copytree(original, elsewhere)
    compiler = f"{sys.executable} -m ziglang cc"
    tools = [f"CC={compiler}", f"AR={sys.executable} -m ziglang ar", "CFLAGS=-fPIC -Wall -Wextra -Werror"]
    built = subprocess.run(["make", *tools], cwd=elsewhere, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr

    application = tmp_path / "application.c"
    application.write_text(
        '#include <string.h>\n#include "model.h"\n'
        "void classify(const void *in, void *out)\n{\n"
        "    memcpy(model_input(), in, TN_MODEL_INPUT_BYTES);\n    model_invoke();\n"
        "    memcpy(out, model_output(), TN_MODEL_OUTPUT_BYTES);\n}\n"
    )
    library = tmp_path / "application.so"
    zig("-shared", "-fPIC", f"-I{elsewhere}", application, elsewhere / "libmodel.a", "-o", library)
    values = np.random.default_rng(0).integers(-128, 128, (1, 12, 12, 2)).astype(np.int8)
    output = ctypes.create_string_buffer(3)
    ctypes.CDLL(str(library)).classify(values.tobytes(), output)
    expected = execute(graph, [values])[graph.outputs[0]]
    assert np.array_equal(np.frombuffer(output.raw, np.int8), expected.reshape(-1))
