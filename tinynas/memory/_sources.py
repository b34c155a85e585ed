"""What fitted models rest on, kernel by kernel: which of it has changed since a model was fitted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tinynas.kernels import CATALOGUE, KERNEL_FLAGS, MODEL_FLAGS, code_hash, code_of, kernel_folder, with_headers
from tinynas.targets import RUNTIME_FLAGS, TOOLCHAIN_FLAGS, resource_path

GENERATED_CODE = "generated code"
"""What stands for the templates among hashes."""

RUNTIME = "runtime"
"""What stands for runtime, HAL and linker script among hashes."""

_SOURCES = frozenset({".c", ".h", ".j2"})
_TEMPLATES = Path(__file__).parents[1] / "engine" / "templates"  # read, not imported: the engine is a floor above
_NAMED = 3


def firmware_hash() -> str:
    """SHA-256 over what an image is made of: the firmware's sources, the templates of generated code, compiler flags.

    Comments and white space do not count: they change no code. Nor does what selects a core (-mcpu).
    """
    state = hashlib.sha256(" ".join((*RUNTIME_FLAGS, *MODEL_FLAGS, *_toolchain_flags())).encode())
    firmware = resource_path("firmware")
    sources = {path.relative_to(firmware).as_posix(): path for path in firmware.rglob("*") if path.suffix in _SOURCES}
    for name, path in sorted((sources | {path.name: path for path in _templates()}).items()):
        state.update(f"{name}\0{code_of(path.read_text(encoding='utf-8'))}\0".encode())
    return state.hexdigest()


def kernel_hashes(kernels: Iterable[str] = CATALOGUE) -> dict[str, str]:
    """A hash of the code of each kernel, headers and compiler flags included, and of the templates of generated code.

    What is fitted to kernels keeps them: an edit of one kernel makes what is known of that one stale.

    Args:
        kernels: Names of variants.
    """
    flags = (*KERNEL_FLAGS, *_toolchain_flags())
    hashes = {
        name: code_hash(with_headers(kernel_folder() / source for source in CATALOGUE[name].sources), flags)
        for name in sorted(kernels)
    }
    return hashes | {GENERATED_CODE: code_hash(_templates(), (*MODEL_FLAGS, *_toolchain_flags()))}


def runtime_hashes(hal: str) -> dict[str, str]:
    """A hash of runtime, HAL and linker script, compiler flags included."""
    firmware = resource_path("firmware")
    paths = [
        *(firmware / "runtime").rglob("*.[ch]"),
        *(firmware / "hal").glob("*.h"),
        *(firmware / "hal" / hal).glob("*.[ch]"),
        *(firmware / "linker").glob("*.j2"),
    ]
    return {RUNTIME: code_hash(paths, (*RUNTIME_FLAGS, *_toolchain_flags()))}


def changed_sources(provenance: Mapping[str, object], now: Mapping[str, str]) -> tuple[str, ...]:
    """What has changed, by name, since a model was fitted with this provenance; all of it where that is not known.

    What is gone has changed; what came since is another kernel, which the model does not know.
    """
    fitted = provenance.get("sources")
    if not isinstance(fitted, Mapping):
        return tuple(now)
    return tuple(name for name, code in fitted.items() if now.get(name) != code)


def say_changed(names: tuple[str, ...]) -> str:
    """What has changed, as the reason why a model is stale."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"sources or flags of {', '.join(names[:_NAMED])}{more} have changed since it was fitted"


def _templates() -> list[Path]:
    return sorted(_TEMPLATES.glob("*.[ch].j2"))


def _toolchain_flags() -> tuple[str, ...]:
    return tuple(flag for name in sorted(TOOLCHAIN_FLAGS) for flag in TOOLCHAIN_FLAGS[name])
