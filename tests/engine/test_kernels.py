"""The kernels as C: warnings, symbols, and what they need from elsewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from arm_targets import ARM_TARGETS, compile_for, section_bytes, undefined_symbols
from host_models import INCLUDE, WARNINGS

from tinynas.boards import Toolchain
from tinynas.kernels import CATALOGUE, KERNEL_FLAGS, kernel_folder
from tinynas.targets import CORES

KERNELS = kernel_folder()
# The EABI's run-time functions (64-bit multiplication and shifts, division), which a Cortex-M0+ has no instructions
# for, and a marker of the exception ABI that the linker discards.
_RUN_TIME = {
    "__aeabi_lmul",
    "__aeabi_idiv",
    "__aeabi_idivmod",
    "__aeabi_uidiv",
    "__aeabi_lasr",
    "__aeabi_llsl",
    "__aeabi_unwind_cpp_pr0",
}


def test_one_kernel_per_file_and_all_are_in_the_catalogue() -> None:
    needed = {source for variant in CATALOGUE.values() for source in variant.sources}
    assert needed == {path.relative_to(KERNELS).as_posix() for path in KERNELS.rglob("*.c")}
    for variant in CATALOGUE.values():
        code = (KERNELS / variant.source).read_text(encoding="utf-8")
        assert re.search(rf"^TN_KERNEL \w+ {variant.symbol}\(", code, re.MULTILINE)


@pytest.mark.parametrize("core", ARM_TARGETS)
def test_kernels_compile_cleanly_without_a_library(core: str, tmp_path: Path) -> None:
    output = tmp_path / "kernels.o"
    compile_for(core, sorted(KERNELS.rglob("*.c")), output)
    assert undefined_symbols(output) <= (_RUN_TIME if core == "cortex-m0plus" else {"__aeabi_unwind_cpp_pr0"})
    assert section_bytes(output, ".text") > 1000
    assert section_bytes(output, ".data") == section_bytes(output, ".bss") == 0, "a kernel has state"


@pytest.mark.parametrize("toolchain", ["gcc"], indirect=True)
@pytest.mark.parametrize("core", sorted(name for name, core in CORES.items() if core.compilers is not None))
def test_kernels_compile_cleanly_with_gcc_for_every_core(core: str, toolchain: Toolchain, tmp_path: Path) -> None:
    needed: set[str] = set()
    for source in sorted(KERNELS.rglob("*.c")):
        output = tmp_path / f"{source.stem}.o"
        toolchain.compile(CORES[core], source, output, [*KERNEL_FLAGS, f"-I{INCLUDE}"])
        needed |= undefined_symbols(output)
    # Kernels call each other by these names.
    assert {name for name in needed if not name.startswith("tn_")} <= (_RUN_TIME if core == "cortex-m0plus" else set())


def test_kernels_compile_cleanly_with_gcc(host_gcc: str, tmp_path: Path) -> None:
    sources = [str(path) for path in sorted(KERNELS.rglob("*.c"))]
    command = [host_gcc, *WARNINGS, "-O2", "-c", f"-I{INCLUDE}", *sources]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stderr
