"""Fitted models are written so that a changed row is a changed line."""

from __future__ import annotations

import json

import pytest

from tinynas.compact_json import compact_json


def test_what_nests_no_further_takes_one_line() -> None:
    document = {
        "format": "some/1",
        "empty": {},
        "sections": [{"name": "a", "requires": ["b", "c"]}, {"name": "b", "requires": []}],
        "information": [[1.5, 2.0], [0.1]],
        "check": {"errors": [0, 0]},
    }
    text = compact_json(document)
    assert json.loads(text) == document
    assert text.splitlines() == [
        "{",
        ' "format": "some/1",',
        ' "empty": {},',
        ' "sections": [',
        '  {"name": "a", "requires": ["b", "c"]},',
        '  {"name": "b", "requires": []}',
        " ],",
        ' "information": [',
        "  [1.5, 2.0],",
        "  [0.1]",
        " ],",
        ' "check": {"errors": [0, 0]}',
        "}",
    ]


def test_floats_come_back_in_all_their_bits() -> None:
    values = {"x": [0.1 + 0.2, 1e-300, 5e-324], "n": 3}
    assert json.loads(compact_json(values)) == values


def test_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        compact_json({"x": [float("nan")]})
