"""Export: generated code and the kernels it needs, as a folder for the user's own project."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import jinja2

from tinynas.engine._generate import GeneratedModel, generate
from tinynas.engine._model_info import ModelInfo
from tinynas.lowering import KERNEL_FLAGS, Schedule
from tinynas.memory import MemoryPlan
from tinynas.targets import resource_path


def export(schedule: Schedule, plan: MemoryPlan, directory: Path, info: ModelInfo | None = None) -> GeneratedModel:
    """Write a self-contained folder: `model.[ch]`, constants, `kernels/`, `include/tinynas/` and a Makefile.

    The Makefile builds `libmodel.a` with any C99 compiler. The kernels need no C library; on Cortex-M0+ they need the
    compiler's run-time library (64-bit multiplication, division), which compilers link by themselves.

    Returns:
        The generated model with `kernel_sources` inside `directory`.
    """
    info = info or ModelInfo(schedule.graph.name)
    model = generate(schedule, plan, directory, info)
    firmware = resource_path("firmware")
    for folder, sources in (
        (directory / "kernels", (*model.kernel_sources, *sorted((firmware / "kernels").glob("*.h")))),
        (directory / "include" / "tinynas", tuple(sorted((firmware / "include" / "tinynas").glob("*.h")))),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            shutil.copyfile(source, folder / source.name)
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("tinynas.engine"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    ).get_template("Makefile.j2")
    name = " ".join(info.name.split())
    makefile = template.render(info_name=name.replace("$", "$$"), kernel_flags=" ".join(KERNEL_FLAGS))
    (directory / "Makefile").write_text(makefile, encoding="utf-8")
    return replace(model, kernel_sources=tuple(directory / "kernels" / p.name for p in model.kernel_sources))
