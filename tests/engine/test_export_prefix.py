"""Two exported networks in one program: different prefixes, the same kernels, no warning with either compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from arm_targets import undefined_symbols
from network_cases import filled

from tinynas.boards import Toolchain, ZigToolchain, build_firmware
from tinynas.engine import ModelInfo, PrefixError, export, generate
from tinynas.engine._prefix import with_prefix
from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.graph.reference import execute
from tinynas.kernels import KERNEL_FLAGS, InstructionSet
from tinynas.lowering import lower
from tinynas.memory import embedded_code, plan_arena
from tinynas.targets import CORES, load_board, resource_path

_WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
_ZIG = (sys.executable, "-m", "ziglang", "cc")
_SHAPES = {"cat": (1, 6, 6, 2), "dog": (1, 5, 7, 3)}
_APPLICATION = """
#include <stdio.h>
#include <string.h>
#include "cat.h"
#include "dog.h"

int main(void)
{
    int8_t cat[TN_CAT_INPUT_BYTES];
    int8_t dog[TN_DOG_INPUT_BYTES];
    if (fread(cat, 1, sizeof cat, stdin) != sizeof cat || fread(dog, 1, sizeof dog, stdin) != sizeof dog) {
        return 1;
    }
    memcpy(cat_input(), cat, sizeof cat);
    cat_invoke();
    memcpy(dog_input(), dog, sizeof dog);
    dog_invoke();
    fwrite(cat_output(), 1, TN_CAT_OUTPUT_BYTES, stdout);
    fwrite(dog_output(), 1, TN_DOG_OUTPUT_BYTES, stdout);
    fputs(TN_CAT_NAME, stderr);
    return cat_quantize_input(0.0f, 0) + dog_quantize_input(0.0f, 0) == 1000;
}
"""


def _network(name: str) -> Graph:
    b = GraphBuilder(name, DType.INT8)
    x = b.conv_2d(b.input(_SHAPES[name]), 4, 3, stride=2, name="model_stem")
    x = b.add(x, b.conv_2d(x, 4, 1, name="branch"), name="sum")
    if name == "dog":
        x = b.depthwise_conv_2d(x, 3, name="depthwise")
    return filled(b.build([b.fully_connected(b.mean(x, name="pool"), 3, name="head")]), seed=len(name))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both networks exported; the name of one tries to be renamed."""
    found = {}
    for name in _SHAPES:
        folder = tmp_path_factory.mktemp(name)
        schedule = lower(_network(name))
        info = ModelInfo(f"my model_{name} of model.h", labels=("model_a", "b", 'c"'))
        export(schedule, plan_arena(schedule), folder, info, prefix=name)
        found[name] = folder
    return found


def _run(*command: str | Path, cwd: Path) -> None:
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd, check=False)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr


def _sources(folders: dict[str, Path]) -> list[Path]:
    """The generated files of both, and each kernel once."""
    kernels = {path.name: path for folder in folders.values() for path in folder.glob("kernels/*/*.c")}
    return [*(path for folder in folders.values() for path in sorted(folder.glob("*.c"))), *kernels.values()]


def _includes(folders: dict[str, Path]) -> list[str]:
    return [f"-I{folder}" for folder in folders.values()]


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_both_run_in_one_program(
    compiler: str, folders: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    command = _ZIG if compiler == "zig" else (request.getfixturevalue("host_gcc"),)
    application, program = tmp_path / "application.c", tmp_path / "program"
    application.write_text(_APPLICATION)
    _run(*command, *_WARNINGS, *_includes(folders), application, *_sources(folders), "-o", program, cwd=tmp_path)
    rng = np.random.default_rng(0)
    inputs = {name: rng.integers(-128, 128, shape).astype(np.int8) for name, shape in _SHAPES.items()}
    stdin = b"".join(values.tobytes() for values in inputs.values())
    result = subprocess.run([program], input=stdin, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"my model_cat of model.h")
    expected = []
    for name, values in inputs.items():
        graph = _network(name)
        expected.append(execute(graph, [values])[graph.outputs[0]].tobytes())
    assert result.stdout == b"".join(expected)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_their_libraries_link_together(folders: dict[str, Path], tmp_path: Path) -> None:
    """Each built by its own Makefile: the linker takes a kernel from whichever archive comes first."""
    application, program = tmp_path / "application.c", tmp_path / "program"
    application.write_text(_APPLICATION)
    zig = f"{sys.executable} -m ziglang"
    for name, folder in folders.items():
        built = shutil.copytree(folder, tmp_path / name)
        _run("make", "-s", f"CC={zig} cc", f"AR={zig} ar", "CFLAGS=-Wall -Wextra -Wconversion -Werror", cwd=built)
    libraries = [tmp_path / name / f"lib{name}.a" for name in folders]
    _run(*_ZIG, *_WARNINGS, *_includes(folders), application, *libraries, "-o", program, cwd=tmp_path)


def test_both_link_into_one_object_for_arm(toolchain: Toolchain, folders: dict[str, Path], tmp_path: Path) -> None:
    flags = [*KERNEL_FLAGS, *_includes(folders)]
    objects = []
    for source in _sources(folders):
        objects.append(tmp_path / f"{source.stem}.o")
        toolchain.compile(CORES["cortex-m4f"], source, objects[-1], flags)
    _run(sys.executable, "-m", "ziglang", "ld.lld", "-r", *objects, "-o", tmp_path / "both.o", cwd=tmp_path)
    undefined = {name for name in undefined_symbols(tmp_path / "both.o") if not name.startswith("__aeabi_unwind")}
    assert undefined <= {"memcpy", "memset", "__aeabi_memcpy4"}


def test_no_name_of_the_default_prefix_is_left(folders: dict[str, Path]) -> None:
    for name, folder in folders.items():
        assert {path.name for path in folder.glob("*.[ch]")} == {
            f"{name}{suffix}" for suffix in (".h", ".c", "_constants.h", "_constants.c")
        }
        for path in folder.glob("*.[ch]"):
            code = re.sub(r'/\*.*?\*/|"[^"]*"', "", path.read_text(), flags=re.DOTALL)
            assert not re.search(r"\b(TN_|TINYNAS_)?(model|MODEL)", code), path.name


def test_strings_keep_what_they_say(folders: dict[str, Path]) -> None:
    header = (folders["cat"] / "cat.h").read_text()
    assert '#define TN_CAT_NAME "my model_cat of model.h"' in header
    assert '"model_a",' in header
    assert with_prefix('/* say "model_x */ model_x("model_x")', "cat") == '/* say "cat_x */ cat_x("model_x")'


def test_the_licence_goes_with_the_kernels(folders: dict[str, Path]) -> None:
    text = (folders["cat"] / "kernels" / "LICENSE").read_text(encoding="utf-8")
    assert text == resource_path("LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "Cat", "1cat", "cat-dog", "a" * 33, "../cat", "cat\n"),
        *("tn", "tn_add", "hal", "conv_1x1"),
        *("if", "int", "class", "main", "stdint", "string", "math"),
    ],
)
def test_prefixes_that_c_or_the_kernels_do_not_allow(prefix: str, tmp_path: Path) -> None:
    schedule = lower(_network("cat"))
    with pytest.raises(PrefixError, match="prefix"):
        export(schedule, plan_arena(schedule), tmp_path / "out", prefix=prefix)
    assert not (tmp_path / "out").exists()


def test_the_header_states_code_and_stack_as_linked(tmp_path: Path) -> None:
    """The figures of the memory model against the functions in a linked image."""
    schedule = lower(_network("dog"))
    board = load_board("virt-m4")
    model = generate(schedule, plan_arena(schedule), tmp_path / "model")
    firmware = build_firmware(board, tmp_path / "model", model.kernel_sources, ZigToolchain(), tmp_path / "out")
    runtime = re.compile(r"__aeabi_|mem|hal_|main$|tn_(fault|reset|frame)_|model_(invoke_profiled|lap)$")
    linked = sum(size for name, size in firmware.function_bytes.items() if not runtime.match(name))
    embedded = {e.core: e for e in embedded_code(schedule)}
    assert set(embedded) == {"cortex-m4f", "cortex-m7", "cortex-m33"}
    armv6m = lower(_network("dog"), instruction_set=InstructionSet.ARMV6M)
    assert {e.core for e in embedded_code(armv6m)} == {"cortex-m0plus"}
    code = embedded["cortex-m4f"]
    assert linked <= code.code_bytes <= linked + 4 * len(firmware.function_bytes)
    assert 0 < code.stack_bytes < 512
    info = ModelInfo("dog", embedded=tuple(embedded.values()))
    export(schedule, plan_arena(schedule), tmp_path / "exported", info, prefix="dog")
    line = f"cortex-m4f: {code.code_bytes:,} bytes of code, {code.stack_bytes:,} bytes of stack ({code.compiler})"
    assert line in (tmp_path / "exported" / "dog.h").read_text()
