"""How a table was made: recipe, space, data, versions, processor."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas_table.costs import BOARD, TOOLCHAIN
from nas_table.table import DATASET, HELD_OUT
from tinynas import __version__
from tinynas.memory import firmware_hash


def processor() -> str:
    """The processor's model and the widest instructions that torch uses: what the bits of a training depend on."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor()}, {torch.backends.cpu.get_cpu_capability()}"


def costs_provenance() -> dict[str, Any]:
    """What the costs of a table follow from here."""
    return {"board": BOARD, "toolchain": TOOLCHAIN, "firmware_sha256": firmware_hash()}


def provenance(recipe: Mapping[str, Any], space: Mapping[str, Any], data_digest: str) -> dict[str, Any]:
    """What this machine would write beside a table."""
    return {
        "command": "python benchmarks/build_nas_table.py",
        "data": {"name": DATASET, "held_out": HELD_OUT, "train_sha256": data_digest},
        "recipe": dict(recipe),
        "space": dict(space),
        "costs": costs_provenance(),
        "versions": {
            "tinynas": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "processor": processor(),
    }
