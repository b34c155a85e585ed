"""Figures are self-contained SVG, the same bytes for the same numbers, and survive empty data."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from tinynas.pipeline.report import _figures

CONFIGURATIONS = [
    {"width": 0.5, "resolution": 24, "share_fits": 0.9, "macs": [1_000_000, 2_000_000]},
    {"width": 1.0, "resolution": 28, "share_fits": 0.0, "macs": []},
]


def drawings() -> dict[str, str]:
    return {
        "space": _figures.flops_distributions(CONFIGURATIONS, (0.5, 24)),
        "search": _figures.search_progress({"evolution": [0.5, 0.6], "random": [0.4, 0.7]}, [0, 1], 0.55),
        "empty search": _figures.search_progress({}, [], None),
        "pareto": _figures.pareto_front(
            [{"accuracy": 0.5, "latency": 1e6, "sram_bytes": 5000, "on_front": True}],
            {"winner": {"accuracy": 0.5, "latency": 1e6}},
            "instructions",
        ),
        "memory": _figures.memory_timeline([_figures.Block("x", 0, 1, 0, 100)], 100, 200, ["conv", "pool"]),
        "latency": _figures.predicted_against_measured([("before", [10.0], [12.0]), ("after", [], [])], "cycles"),
    }


def test_figures_are_well_formed_and_reproducible() -> None:
    first, again = drawings(), drawings()
    for name, text in first.items():
        assert ElementTree.fromstring(text).tag.endswith("svg"), name
        assert text == again[name], name


def test_names_of_steps_are_text_in_any_script() -> None:
    """No formula, no warning where the font lacks a letter."""
    names = ["a$\\frac$b$", "卷积/Relu"]
    text = _figures.memory_timeline([_figures.Block("x", 0, 1, 0, 100)], 100, 200, names)
    assert ElementTree.fromstring(text).tag.endswith("svg")


def test_the_chosen_configuration_is_named() -> None:
    text = drawings()["space"]
    assert "w0.5 r24 (90 % fit), chosen" in text
    assert "w1 r28" not in text  # nothing fits: there is no distribution to draw


def test_a_far_budget_is_said_and_not_drawn() -> None:
    blocks = [_figures.Block("x", 0, 1, 0, 100)]
    near, far = (_figures.memory_timeline(blocks, 100, available, ["conv", "pool"]) for available in (300, 100_000))
    for text, available in ((near, 300), (far, 100_000)):
        assert f"available: {available:,} bytes" in text
    assert ">300<" in near
    assert ">100000<" not in far
