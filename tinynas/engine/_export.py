"""Export: generated code and the kernels it needs, as a folder for the user's own project."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import jinja2

from tinynas.engine._generate import GeneratedModel, generate
from tinynas.engine._model_info import ModelInfo
from tinynas.engine._prefix import DEFAULT_PREFIX, check_prefix, file_name, with_prefix
from tinynas.kernels import CATALOGUE, KERNEL_FLAGS, InstructionSet, kernel_folder, with_headers
from tinynas.lowering import Schedule
from tinynas.memory import MemoryPlan
from tinynas.targets import CORES, resource_path

_EXAMPLES: Mapping[InstructionSet, str] = MappingProxyType(
    {
        InstructionSet.DSP: "cortex-m4f",
        InstructionSet.ARMV6M: "cortex-m0plus",
        InstructionSet.PORTABLE: "cortex-m3",
    }
)
"""A core with that instruction set, as an example of what the compiler is told."""


def export(
    schedule: Schedule,
    plan: MemoryPlan,
    directory: Path,
    info: ModelInfo | None = None,
    *,
    prefix: str = DEFAULT_PREFIX,
) -> GeneratedModel:
    """Write a self-contained folder: `model.[ch]`, constants, `kernels/`, licence and Makefile.

    The Makefile builds `libmodel.a` with any C99 compiler. The kernels need no C library; on Cortex-M0+ they need the
    compiler's run-time library (64-bit multiplication, division), which compilers link by themselves.

    Args:
        schedule: The network.
        plan: Its arena.
        directory: The folder.
        info: What the header says beside.
        prefix: What stands for "model" in file names, functions, data and macros (there in capitals), so that several
            networks live in one program.

    Returns:
        The generated model with all files inside `directory`.

    Raises:
        PrefixError: The prefix is none.
    """
    check_prefix(prefix)
    info = info or ModelInfo(schedule.graph.name)
    model = _renamed(generate(schedule, plan, directory, info), prefix)
    kernels, origin = directory / "kernels", kernel_folder().resolve()
    headers = [origin / "kernel.h", *(origin / CATALOGUE[name].header for name in schedule.variants)]
    for path in with_headers((*model.kernel_sources, *headers)):
        copy = kernels / path.relative_to(origin)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    # The kernels are Apache-2.0, and wherever they go, its text goes with them (section 4a).
    shutil.copyfile(resource_path("LICENSE"), kernels / "LICENSE")
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("tinynas.engine"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    ).get_template("Makefile.j2")
    name = " ".join(info.name.split())
    makefile = template.render(
        info_name=name.replace("$", "$$"),
        prefix=prefix,
        kernel_flags=" ".join(KERNEL_FLAGS),
        cpu_flags=_example_flags(schedule.instruction_set),
    )
    (directory / "Makefile").write_text(makefile, encoding="utf-8")
    return replace(
        model, kernel_sources=tuple(kernels / path.relative_to(kernel_folder()) for path in model.kernel_sources)
    )


def _example_flags(instruction_set: InstructionSet) -> str:
    compilers = CORES[_EXAMPLES[instruction_set]].compilers
    if compilers is None:
        raise ValueError(f"{_EXAMPLES[instruction_set]} is no example: nothing is compiled for it")
    return " ".join(("-mthumb", *compilers.gcc))


def _renamed(model: GeneratedModel, prefix: str) -> GeneratedModel:
    """The generated files under another prefix."""
    if prefix == DEFAULT_PREFIX:
        return model
    renamed = {}
    for path in (*model.sources, *(source.with_suffix(".h") for source in model.sources)):
        renamed[path] = path.with_name(file_name(path.name, prefix))
        renamed[path].write_text(with_prefix(path.read_text(encoding="utf-8"), prefix), encoding="utf-8")
        path.unlink()
    return replace(model, sources=tuple(renamed[path] for path in model.sources))
