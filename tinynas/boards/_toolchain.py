"""Cross compilers behind one interface: `compile` one file, `link` an image."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from tinynas.targets import TOOLCHAIN_FLAGS, Compilers, Core

from ._errors import ToolchainError, UnknownToolchainError


class Toolchain(Protocol):
    """A cross compiler. Both methods raise `ToolchainError` with the first line the tool complained with."""

    @property
    def name(self) -> str:
        """Short name, as the command line takes it."""
        ...

    def version(self) -> str:
        """Name and version for reports and for the object cache."""
        ...

    def compile(self, core: Core, source: Path, output: Path, flags: Sequence[str]) -> None:
        """Compile one C file to an object file; `flags` come after the common ones."""
        ...

    def link(self, core: Core, objects: Sequence[Path], script: Path, output: Path) -> None:
        """Link objects with a linker script and no C library, dropping unused sections."""
        ...


def run_tool(command: Sequence[str]) -> str:
    """Run a tool and return its standard output. Raises `ToolchainError` carrying the complaint."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ToolchainError(f"{command[0]}: {error.strerror}; is the toolchain installed completely?") from error
    if result.returncode != 0:
        raise ToolFailedError(Path(command[0]).name, result.stderr or result.stdout)
    return result.stdout


class ToolFailedError(ToolchainError):
    """A tool ran and failed. `output` is everything that it said; the message is its first complaint."""

    def __init__(self, tool: str, output: str) -> None:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        complaint = next((line for line in lines if "error" in line), lines[0] if lines else "failed without a message")
        super().__init__(f"{tool}: {complaint}")
        self.output = output


class ZigToolchain:
    """The clang and lld inside the `ziglang` wheel: the default, no installation beyond pip."""

    name = "zig"

    def __init__(self, executable: Path | None = None) -> None:
        self._executable = str(executable) if executable is not None else zig_executable()

    @functools.cached_property
    def _version(self) -> str:
        return f"zig {run_tool([self._executable, 'version']).strip()}"

    def version(self) -> str:
        return self._version

    def compile(self, core: Core, source: Path, output: Path, flags: Sequence[str]) -> None:
        target = [*_flags(core).zig, *TOOLCHAIN_FLAGS[self.name]]
        run_tool([self._executable, "cc", *target, *flags, "-c", str(source), "-o", str(output)])

    def link(self, core: Core, objects: Sequence[Path], script: Path, output: Path) -> None:
        inputs = [str(path) for path in objects]
        run_tool([self._executable, "ld.lld", "--gc-sections", "-T", str(script), *inputs, "-o", str(output)])


class GccToolchain:
    """`arm-none-eabi-gcc` from the search path."""

    name = "gcc"

    def __init__(self, executable: str = "arm-none-eabi-gcc") -> None:
        found = shutil.which(executable)
        if found is None:
            raise ToolchainError(
                f"{executable} is not on the search path: install the Arm GNU Toolchain "
                "(Debian: gcc-arm-none-eabi), or use --toolchain zig"
            )
        self._executable = found

    @functools.cached_property
    def _version(self) -> str:
        return f"gcc {run_tool([self._executable, '-dumpfullversion', '-dumpversion']).strip()}"

    def version(self) -> str:
        return self._version

    def compile(self, core: Core, source: Path, output: Path, flags: Sequence[str]) -> None:
        target = ["-mthumb", *_flags(core).gcc, *TOOLCHAIN_FLAGS[self.name]]
        run_tool([self._executable, *target, *flags, "-c", str(source), "-o", str(output)])

    def link(self, core: Core, objects: Sequence[Path], script: Path, output: Path) -> None:
        # No libgcc: the runtime has what compilers call, so that flash is a function of our own objects.
        target = ["-mthumb", *_flags(core).gcc, "-nostdlib", "-nostartfiles"]
        inputs = [str(path) for path in objects]
        run_tool([self._executable, *target, "-Wl,--gc-sections", f"-Wl,-T,{script}", *inputs, "-o", str(output)])


def _flags(core: Core) -> Compilers:
    if core.compilers is None:
        raise ToolchainError(f"no compiler is known for {core.name}: it exists to count memory only")
    return core.compilers


def load_toolchain(name: Literal["zig", "gcc"] | str) -> Toolchain:
    """Return the toolchain called `name`.

    Raises:
        ToolchainError: it is not installed.
        UnknownToolchainError: there is no such toolchain.
    """
    if name == "zig":
        return ZigToolchain()
    if name == "gcc":
        return GccToolchain()
    raise UnknownToolchainError(f"unknown toolchain {name!r}; one of zig, gcc")


def zig_executable() -> str:
    """Return the path of the zig compiler in the `ziglang` wheel. Raises `ToolchainError` when it is not there."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise ToolchainError("the zig compiler is not installed: pip install ziglang, or use --toolchain gcc")
    executable = Path(spec.origin).parent / "zig"
    if not executable.is_file():
        executable = executable.with_suffix(".exe")
    if not executable.is_file():
        raise ToolchainError(f"no zig executable beside {spec.origin}: reinstall ziglang, or use --toolchain gcc")
    return str(executable)
