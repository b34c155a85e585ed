"""Static analysis of the firmware and of generated C: cppcheck, and clang-tidy as for two cores.

The Cortex-M4 has the DSP instructions and an FPU, the Cortex-M0+ has neither: together they see both sides of every
`#if`. What each tool is asked, and why not more, is in `.clang-tidy` and `tools/cppcheck-suppressions.txt`. Exits with
1 where a tool found something, with 3 where one is missing.

    python tools/check_c.py [FILE.c ...]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tinynas.engine import generate
from tinynas.lowering import lower
from tinynas.memory import plan_arena
from tinynas.targets import CORES, Core
from tinynas.testing import random_int8_graph

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"
INCLUDES = ("firmware/runtime/libc", "firmware/runtime", "firmware/hal", "firmware")
DEFINES = (
    "-DTN_BAUD=115200u",
    "-DTN_CLOCK_HZ=1000000u",
    "-DTN_BUILD_ID=0u",
    '-DTN_BOARD_NAME=""',
    '-DTN_MODEL_LABEL=""',
)
WARNINGS = ("-std=c99", "-ffreestanding", "-Wall", "-Wextra", "-Wconversion")
CHECKED_CORES = ("cortex-m4f", "cortex-m0plus")
JOBS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both tools over the firmware and one generated model, or over the files that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="C files (default: all of firmware/ and a generated model)")
    options = parser.parse_args(arguments)
    tools = {name: _find(name) for name in ("clang-tidy", "cppcheck")}
    missing = [name for name, path in tools.items() if path is None]
    if missing:
        print(f"{' and '.join(missing)} not installed beside {sys.executable}: run make setup", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as folder:
        model = _generated_model(Path(folder))
        files = [path.resolve() for path in options.files] or [
            *sorted(FIRMWARE.rglob("*.c")),
            *sorted(model.glob("*.c")),
        ]
        includes = [f"-I{ROOT / path}" for path in INCLUDES] + [f"-I{model}"]
        complaints = [
            *_cppcheck(str(tools["cppcheck"]), files, includes),
            *_clang_tidy(str(tools["clang-tidy"]), files, includes),
        ]
    for line in complaints:
        print(line.replace(f"{ROOT}/", ""))
    print(f"{len(files)} files, {len(complaints)} complaints", file=sys.stderr)
    return 1 if complaints else 0


def _find(name: str) -> str | None:
    """The tool of the pinned wheel: other versions find other things."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else None


def _generated_model(folder: Path) -> Path:
    """A network of many operators as C: generated code is held to the same rules."""
    graph = random_int8_graph(np.random.default_rng(0), operators=16)
    schedule = lower(graph)
    generate(schedule, plan_arena(schedule), folder / "model")
    return folder / "model"


def _cppcheck(tool: str, files: Sequence[Path], includes: Sequence[str]) -> list[str]:
    suppressions = f"--suppressions-list={ROOT / 'tools' / 'cppcheck-suppressions.txt'}"
    command = [tool, "--quiet", "--enable=all", "--inconclusive", "--inline-suppr"]
    command += ["--check-level=exhaustive", "--std=c99", "--platform=unix32", suppressions]
    command += ["--template={file}:{line}: {severity}: {message} [cppcheck:{id}]"]
    result = subprocess.run([*command, *includes, *map(str, files)], capture_output=True, text=True, check=False)
    return [line for line in result.stderr.splitlines() if "[cppcheck:" in line] or _failure(result)


def _clang_tidy(tool: str, files: Sequence[Path], includes: Sequence[str]) -> list[str]:
    def check(job: tuple[Path, Core]) -> list[str]:
        path, core = job
        command = [tool, "--quiet", f"--config-file={ROOT / '.clang-tidy'}", str(path), "--"]
        command += ["--target=thumb-none-eabi", *_flags(core), *WARNINGS, *DEFINES, *includes]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return re.findall(r"^.*(?:warning|error): .*$", result.stdout, re.MULTILINE) or _failure(result)

    with ThreadPoolExecutor(JOBS) as pool:
        found = pool.map(check, [(path, core) for path in files for core in map(CORES.__getitem__, CHECKED_CORES)])
        return list(dict.fromkeys(line for lines in found for line in lines))


def _flags(core: Core) -> list[str]:
    """What GCC is told, which clang understands."""
    if core.compilers is None:
        raise SystemExit(f"nothing is compiled for {core.name}")
    return [*core.compilers.gcc, f"-D{core.macro}"]


def _failure(result: subprocess.CompletedProcess[str]) -> list[str]:
    """What a tool said that failed without a complaint about the sources."""
    return (
        [] if result.returncode == 0 else [f"{Path(result.args[0]).name}: {(result.stderr or result.stdout).strip()}"]
    )


if __name__ == "__main__":
    sys.exit(main())
