"""The figures of a run as SVG text: drawn from plain numbers, so that they never compute anything themselves."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by colour-blind readers too.
_BLUE, _ORANGE, _GREEN, _RED, _GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#b8bec6"
_STYLE: Any = {  # matplotlib types the keys one by one
    "svg.fonttype": "none",  # text stays text: smaller, searchable
    "svg.hashsalt": "tinynas",  # equal data gives equal bytes
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e8ebef",
    "axes.axisbelow": True,
    "legend.frameon": False,
}

_FAR_BUDGET = 3
"""Times the arena."""


@dataclass(frozen=True)
class Block:
    """One rectangle of the memory timeline: `size` bytes at `offset`, alive during [first, last] steps."""

    label: str
    first: int
    last: int
    offset: int
    size: int
    scratch: bool = False


def flops_distributions(configurations: Sequence[Mapping[str, Any]], chosen: tuple[float, int]) -> str:
    """CDFs of the MACs of the samples that fit, one line per (width, resolution).

    Args:
        configurations: with `width`, `resolution`, `share_fits` and `macs` (of the samples that fit), best first.
        chosen: width and resolution of the chosen one.
    """
    with _figure(7.2, 3.6) as figure:
        axes = figure.add_subplot()
        palette = [_ORANGE, _GREEN, _RED, "#cc79a7", "#56b4e9"]
        named = 0
        for entry in configurations:
            macs = np.sort(np.asarray(entry["macs"], dtype=float)) / 1e6
            if macs.size == 0:
                continue
            share = np.arange(1, macs.size + 1) / macs.size
            label = f"w{entry['width']:g} r{entry['resolution']} ({100 * entry['share_fits']:.0f} % fit)"
            if (entry["width"], entry["resolution"]) == chosen:
                axes.step(macs, share, where="post", color=_BLUE, linewidth=2.4, label=f"{label}, chosen", zorder=3)
            elif named < len(palette):
                axes.step(macs, share, where="post", color=palette[named], linewidth=1.2, label=label)
                named += 1
            else:
                axes.step(macs, share, where="post", color=_GREY, linewidth=0.8)
        axes.set_xlabel("MACs of networks that fit (million)")
        axes.set_ylabel("cumulative share")
        axes.set_ylim(0, 1.02)
        _legend(axes, loc="lower right", fontsize=8)
        return _svg(figure)


class Value(NamedTuple):
    """What networks were scored by.

    Attributes:
        label: of an axis.
        scale: by which values are multiplied to be drawn.
    """

    label: str = "held-out accuracy (%)"
    scale: float = 100.0


_ACCURACY = Value()


def search_progress(
    strategies: Mapping[str, Sequence[float]],
    rounds: Sequence[int],
    macs_only: float | None,
    value: Value = _ACCURACY,
) -> str:
    """Best score so far over evaluations.

    Args:
        strategies: the scores that each found in their order, that of the run first.
        rounds: the evaluations at which a round began.
        macs_only: the score of the network of the most MACs.
        value: what the scores are.
    """
    with _figure(7.2, 3.2) as figure:
        axes = figure.add_subplot()
        drawn = list(zip(strategies.items(), (_BLUE, _ORANGE), strict=False))
        for (label, scores), colour in reversed(drawn):
            if scores:
                best = value.scale * np.maximum.accumulate(np.asarray(scores, dtype=float))
                steps = np.arange(1, len(scores) + 1)
                axes.step(steps, best, where="post", color=colour, linewidth=2, label=f"{label}: best so far")
                axes.plot(steps, value.scale * np.asarray(scores), ".", color=colour, markersize=3, alpha=0.45)
        if macs_only is not None:
            axes.axhline(value.scale * macs_only, color=_RED, linestyle="--", linewidth=1, label="most MACs that fit")
        for start in rounds[1:]:
            axes.axvline(start + 0.5, color="#7a828c", linestyle=":", linewidth=1)
            axes.annotate("refined", (start + 0.5, 1), xycoords=("data", "axes fraction"), fontsize=7, color="#7a828c")
        axes.set_xlabel("evaluations")
        axes.set_ylabel(value.label)
        _legend(axes, loc="lower right", fontsize=8)
        return _svg(figure)


def pareto_front(
    points: Sequence[Mapping[str, Any]],
    marks: Mapping[str, Mapping[str, Any]],
    unit: str,
    value: Value = _ACCURACY,
) -> str:
    """Accuracy over latency, coloured by SRAM; the front of all three is outlined, named choices are ringed.

    Args:
        points: with `accuracy`, `latency`, `sram_bytes` and `on_front`.
        marks: named points, drawn on top (the winner, the baselines).
        unit: of `latency`, which says where it is a model's.
        value: what `accuracy` is.
    """
    with _figure(7.2, 3.8) as figure:
        axes = figure.add_subplot()
        latency = np.asarray([p["latency"] for p in points], dtype=float) / 1e6
        accuracy = value.scale * np.asarray([p["accuracy"] for p in points], dtype=float)
        sram = np.asarray([p["sram_bytes"] for p in points], dtype=float) / 1024
        on_front = np.asarray([bool(p["on_front"]) for p in points])
        colours = {"c": sram, "cmap": "viridis", "vmin": sram.min(initial=0), "vmax": sram.max(initial=1)}
        for chosen, size, edge in ((~on_front, 14, "none"), (on_front, 38, "#22262b")):
            style = {**colours, "c": sram[chosen]}
            dots = axes.scatter(latency[chosen], accuracy[chosen], s=size, edgecolors=edge, linewidths=0.8, **style)
        dots.set_label("on the front (accuracy, latency, SRAM)")
        figure.colorbar(dots, ax=axes, label="SRAM (KB)")
        for (name, point), colour in zip(marks.items(), (_RED, _ORANGE, _BLUE, _GREEN), strict=False):
            x, y = point["latency"] / 1e6, value.scale * point["accuracy"]
            axes.plot(x, y, "o", markersize=11, markerfacecolor="none", markeredgecolor=colour, label=name, zorder=3)
        axes.set_xlabel(f"predicted latency (million {unit})")
        axes.set_ylabel(value.label)
        _legend(axes, loc="lower right", fontsize=8)
        return _svg(figure)


def memory_timeline(blocks: Sequence[Block], arena_bytes: int, available_bytes: int, steps: Sequence[str]) -> str:
    """The arena over the steps of one inference: who occupies which bytes when, and where the budget ends.

    A budget of more than 3 times the arena is said and not drawn: the arena would be a strip at the bottom.
    """
    from matplotlib.patches import Rectangle

    # Names stand upright below the axes, some 4 points a letter, and must not squeeze them.
    names = 4.0 * max(map(len, steps), default=0) / 72
    with _figure(max(8.4, 0.13 * len(steps)), 3.2 + names) as figure:
        axes = figure.add_subplot()
        colours = (_BLUE, "#56b4e9", _GREEN, "#8fc7b5")
        for index, block in enumerate(blocks):
            axes.add_patch(
                Rectangle(
                    (block.first - 0.5, block.offset),
                    block.last - block.first + 1,
                    block.size,
                    facecolor=_ORANGE if block.scratch else colours[index % len(colours)],
                    edgecolor="white",
                    linewidth=0.6,
                    hatch="///" if block.scratch else None,
                )
            )
        is_near = available_bytes <= _FAR_BUDGET * arena_bytes
        if is_near:
            axes.axhline(available_bytes, color=_RED, linewidth=1.6, label=f"available: {available_bytes:,} bytes")
        else:
            axes.plot([], [], " ", label=f"available: {available_bytes:,} bytes")
        axes.axhline(arena_bytes, color="#444a52", linewidth=1, linestyle="--", label=f"arena: {arena_bytes:,} bytes")
        axes.set_xlim(-0.6, len(steps) - 0.4)
        axes.set_ylim(0, 1.18 * max(available_bytes if is_near else 0, arena_bytes, 1))
        axes.set_xticks(range(len(steps)), list(steps), rotation=90, fontsize=6, parse_math=False)
        axes.set_ylabel("bytes of the arena")
        _legend(axes, loc="upper right", fontsize=8, ncols=2)
        axes.grid(visible=False)
        return _svg(figure)


def predicted_against_measured(panels: Sequence[tuple[str, Sequence[float], Sequence[float]]], unit: str) -> str:
    """One log-log panel per (title, predicted, measured): dots on the diagonal are right.

    The unit says where what the board took is a model's.
    """
    columns = min(3, max(1, len(panels)))
    rows = -(-len(panels) // columns)
    with _figure(3.2 * columns, 3.0 * rows) as figure:
        values = [v for _, predicted, measured in panels for v in (*predicted, *measured) if v > 0]
        low, high = (min(values) / 1.5, max(values) * 1.5) if values else (1.0, 10.0)
        for index, (title, predicted, measured) in enumerate(panels):
            axes = figure.add_subplot(rows, columns, index + 1)
            axes.plot([low, high], [low, high], color="#7a828c", linewidth=1)
            axes.plot(measured, predicted, "o", markersize=3.5, color=_BLUE, alpha=0.6)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlim(low, high)
            axes.set_ylim(low, high)
            axes.set_title(title, fontsize=9)
            if index + columns >= len(panels):
                axes.set_xlabel(f"a layer on the board: {unit}")
            if index % columns == 0:
                axes.set_ylabel(f"predicted: {unit}")
        return _svg(figure)


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """A matplotlib figure in our style, without touching the global state of pyplot."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def _legend(axes: Axes, **style: Any) -> None:
    """A legend, unless there is nothing to name."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**style)


def _svg(figure: Figure) -> str:
    """The figure as an `<svg>` element that can be put into HTML."""
    stream = io.StringIO()
    with warnings.catch_warnings():
        # Names come from model files, in any script: what the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return re.sub(r"\s*<metadata>.*?</metadata>", "", text[text.index("<svg") :], count=1, flags=re.DOTALL)
