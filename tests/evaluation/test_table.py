"""Tables: both formats, repeated rows, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynas.evaluation import EvaluatorError, build_evaluator
from tinynas.testing._evaluator_textures import small_task

TASK = small_task()
GENOTYPES = list(TASK.space.enumerate())


def written(path: Path, document: Any) -> dict[str, str]:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return {"file": str(path)}


def test_rows_of_several_seeds_are_averaged(tmp_path: Path) -> None:
    entries = [{"genotype": GENOTYPES[0], "value": value, "seconds": 2.0} for value in (0.5, 0.6, 0.7)]
    entries.append({"genotype": GENOTYPES[1], "value": 0.4, "deviation": 0.05})
    evaluator = build_evaluator("table", TASK, written(tmp_path / "t.json", {"entries": entries}))
    several, single = evaluator.evaluate(GENOTYPES[:2])
    assert several.value == pytest.approx(0.6)
    assert several.deviation == pytest.approx(0.1 / 3**0.5)
    assert several.seconds == 6.0
    assert (single.value, single.deviation) == (0.4, 0.05)


def test_arrays_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(
        path,
        genotypes=np.array([GENOTYPES[2], GENOTYPES[2], GENOTYPES[3], GENOTYPES[3]]),
        fidelities=np.array([0.5, 1.0, 0.5, 1.0]),
        values=np.array([0.1, 0.2, 0.3, 0.4]),
        deviations=np.array([np.nan, 0.01, np.nan, 0.02]),
    )
    evaluator = build_evaluator("table", TASK, {"file": str(path)})
    assert evaluator.fidelities == (0.5, 1.0)
    low, high = (evaluator.evaluate(GENOTYPES[2:4], fidelity) for fidelity in (0.5, 1.0))
    assert [(e.value, e.deviation) for e in low] == [(0.1, None), (0.3, None)]
    assert [(e.value, e.deviation) for e in high] == [(0.2, 0.01), (0.4, 0.02)]


def test_what_is_not_in_the_table_is_named(tmp_path: Path) -> None:
    options = written(tmp_path / "t.json", {"entries": [{"genotype": GENOTYPES[0], "value": 0.5}]})
    with pytest.raises(EvaluatorError, match=r"has no value for genotype \("):
        build_evaluator("table", TASK, options).evaluate([GENOTYPES[1]])


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        {"entries": []},
        {"entries": [{"genotype": GENOTYPES[0]}]},
        {"entries": [{"genotype": [99, 99], "value": 0.5}]},
        {"entries": [{"genotype": GENOTYPES[0], "value": "high"}]},
        {"entries": [{"genotype": GENOTYPES[0], "value": 0.5, "fidelity": 0.5}]},
        {"entries": [{"genotype": GENOTYPES[0], "value": float("nan")}]},
    ],
)
def test_what_is_no_table_is_one_line(document: Any, tmp_path: Path) -> None:
    with pytest.raises(EvaluatorError, match="is no table of space 'evaluator-contract': ") as caught:
        build_evaluator("table", TASK, written(tmp_path / "t.json", document))
    assert "\n" not in str(caught.value)


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(EvaluatorError, match="is no table"):
        build_evaluator("table", TASK, {"file": str(path)})
