"""Latency models as JSON, with the residuals of the fit and its provenance inside.

Information matrices are symmetric: of each, the upper triangle is written, a row per line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.compact_json import compact_json
from tinynas.latency._measurement import LatencyError
from tinynas.latency._model import LatencyModel, Overhead, VariantModel
from tinynas.latency._quantity import COUNTED, counter_of
from tinynas.targets import resource_path

FORMAT = "tinynas-latency-model/2"


def to_json(model: LatencyModel) -> dict[str, Any]:
    """A JSON object from which `from_json` makes an equal model."""
    return {"format": FORMAT, **_document(model)}


def _document(model: LatencyModel) -> dict[str, Any]:
    return {
        "unit": model.unit,
        "basis": model.basis,
        "provenance": dict(model.provenance),
        "overhead": {"per_inference": model.overhead.per_inference, "per_step": model.overhead.per_step},
        "variants": {
            name: {
                "observations": v.observations,
                "residual_sum": v.residual_sum,
                "relative_error": v.sigma,
                "coefficients": dict(zip(v.features, v.coefficients.tolist(), strict=True)),
                "information": [row[i:] for i, row in enumerate(v.information.tolist())],
            }
            for name, v in sorted(model.variants.items())
        },
        **({} if model.instructions is None else {"instructions": _document(model.instructions)}),
    }


def from_json(document: dict[str, Any], where: str = "latency model") -> LatencyModel:
    """Read what `to_json` wrote.

    Raises:
        LatencyError: The document is not a latency model; the message names `where` it came from.
    """
    if document.get("format") != FORMAT:
        raise LatencyError(f"{where}: format is {document.get('format')!r}, expected {FORMAT!r}; calibrate again")
    try:
        return _model(document)
    except (KeyError, TypeError, ValueError) as error:
        raise LatencyError(f"{where}: not a complete latency model ({error}); calibrate again") from error


def _model(document: dict[str, Any]) -> LatencyModel:
    beside = document.get("instructions")
    return LatencyModel(
        unit=document["unit"],
        variants={name: _variant(entry) for name, entry in document["variants"].items()},
        overhead=Overhead(**document["overhead"]),
        provenance=document["provenance"],
        basis=document["basis"] if "basis" in document else _earlier_basis(document),
        instructions=None if beside is None else _model(beside),
    )


def _earlier_basis(document: dict[str, Any]) -> str:
    """What ticks rest on in a file of a version that did not say: cycles came from silicon alone."""
    if document["unit"] == "instructions":
        return COUNTED
    core = document["provenance"].get("core")
    return "" if core is None else counter_of(core)


def _variant(entry: dict[str, Any]) -> VariantModel:
    coefficients: dict[str, float] = entry["coefficients"]
    return VariantModel(
        features=tuple(coefficients),
        coefficients=np.array(list(coefficients.values()), dtype=np.float64),
        information=_symmetric(entry["information"], len(coefficients)),
        observations=float(entry["observations"]),
        residual_sum=float(entry["residual_sum"]),
    )


def _symmetric(triangle: list[list[float]], size: int) -> npt.NDArray[np.float64]:
    """The matrix [size, size] of the rows of its upper triangle, each from the diagonal on."""
    lengths = [len(row) for row in triangle]
    if lengths != list(range(size, 0, -1)):
        raise ValueError(f"information has rows of {lengths} entries for {size} coefficients")
    matrix = np.zeros((size, size))
    for i, row in enumerate(triangle):
        matrix[i, i:] = matrix[i:, i] = row
    return matrix


def latency_model_path(core: str, toolchain: str, folder: Path | None = None) -> Path:
    """Where the model of a core's kernels lies; `folder` defaults to the models that ship."""
    return (folder or resource_path("memory_models")) / f"latency-{core}-{toolchain}.json"


def save_latency_model(model: LatencyModel, path: Path) -> None:
    """Write a model as JSON."""
    path.write_text(compact_json(to_json(model)), encoding="utf-8")


def load_latency_model(path: Path) -> LatencyModel:
    """Read a model.

    Raises:
        LatencyError: The file is missing or not a latency model.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LatencyError(f"cannot read the latency model {path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise LatencyError(f"{path}: not JSON (line {error.lineno}); calibrate again") from error
    except UnicodeDecodeError as error:
        raise LatencyError(f"{path}: not a latency model but a binary file; calibrate again") from error
    if not isinstance(document, dict):
        raise LatencyError(f"{path}: not a latency model; calibrate again")
    return from_json(document, str(path))
