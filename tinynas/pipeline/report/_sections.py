"""The sections of the report: artefacts in, what the template shows out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinynas.confidence import Interval, each_in_percent
from tinynas.formats import read_tflite
from tinynas.memory import plan_arena
from tinynas.pipeline.report import _figures
from tinynas.pipeline.report._memory_view import arena_timeline
from tinynas.pipeline.run import schedule_as_built
from tinynas.pipeline.run.storage import Record

_ROWS = 12


def space_section(space: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """CDFs and the best configurations."""
    if space is None:
        return None
    chosen = (space["chosen"]["width"], space["chosen"]["resolution"])
    rows = [
        {**entry, "chosen": (entry["width"], entry["resolution"]) == chosen}
        for entry in space["configurations"][:_ROWS]
    ]
    return {
        "criterion": f"Chosen: width {chosen[0]:g}, resolution {chosen[1]}. Ranked by {space['criterion']}.",
        "too_small": space.get("too_small"),
        "figure": _figures.flops_distributions(space["configurations"], chosen),
        "configurations": rows,
        "source": f"space.json, seed {space['seed']}; `tinynas space` makes the same comparison",
    }


def comparison_section(result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Winner and baselines over several seeds; None for a single one, and for results older than that."""
    if result is None or (comparison := result.get("comparison")) is None:
        return None
    lead, confidence = comparison["lead"], f"{100 * comparison['confidence']:.0f} %"
    summary = (
        "Every network was trained and quantized with each seed by the same recipe; what is deployed is the winner's "
        f"first. Intervals are of {confidence} over seeds, by Student's t."
    )
    if lead is not None:
        ahead = Interval.of(lead).in_percent("+")
        summary += f" The winner minus the best baseline, {lead['label']}: {ahead} points (Welch's t)."
    return {
        "seeds": comparison["seeds"],
        "summary": summary,
        "rows": [
            {
                "label": network["label"],
                "mean": f"{Interval.of(network).in_percent()} %",
                "each": each_in_percent(network["int8_accuracies"], network["diverged"]),
            }
            for network in comparison["networks"]
        ]
        + [
            {"label": label, "mean": "-", "each": "left out: its first training diverged"}
            for label in comparison.get("left_out", ())  # which older results do not name
        ],
        "source": f"result.json; the first seed is {result['seed']}",
    }


def schedules_section(comparison: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How the chosen space moves with the schedule of the engine."""
    if comparison is None:
        return None
    summary = (
        f"The same networks, ranked under {len(comparison['schedules'])} ways of executing them. MACs are those of the "
        "network: rows that patches compute twice do not count. The arena is what activations and scratch take."
    )
    if comparison["limited"]:
        summary += " Memory alone decides here, without the limit on one inference that the run keeps."
    return {"summary": summary, "rows": comparison["schedules"], "source": "space-schedules.json"}


def ruler_section(ruler: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How well the evaluator ranked networks beside counting, and what followed from it."""
    if ruler is None:
        return None
    used, evaluator = ruler["used"], ruler["evaluator"]
    verdict = "so the search is by it" if used == evaluator else f"so the search is by {used}"
    return {
        "summary": (
            f"Kendall's tau with {ruler['seeds']} trainings of {ruler['steps']} steps each, over "
            f"{len(ruler['genotypes'])} networks that meet the constraints, in {len(ruler['groups'])} groups of about "
            f"equal MACs. Evaluator {evaluator} (at fidelity {ruler['fidelity']:g}) ranks "
            f"{'better than' if used == evaluator else 'no better than'} counting by the mean of the two, {verdict}."
        ),
        "rows": [
            {"name": name, "overall": _range(found["overall"]), "within": _range(found["within"])}
            for name, found in ruler["agreement"].items()
        ],
        "source": f"ruler.json, seed {ruler['seed']}; intervals of 90 % by a bootstrap over networks",
    }


def _range(found: Sequence[float]) -> str:
    value, low, high = found
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def search_section(search: Mapping[str, Any] | None, result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Progress of both searches, and the Pareto front of everything that was scored."""
    if search is None:
        return None
    strategy, evaluator, accuracy = _asked(search)
    entries = [entry for entry in search["entries"] if entry.get("fidelity", 1.0) == 1.0]
    origins = dict.fromkeys((strategy, *(entry["origin"] for entry in entries if entry["origin"] == "random")))
    scores = {origin: [entry["score"] for entry in entries if entry["origin"] == origin] for origin in origins}
    rounds = [entry["round"] for entry in entries if entry["origin"] == strategy]
    starts = [index for index, number in enumerate(rounds) if index == 0 or number != rounds[index - 1]]
    front = {tuple(genotype) for genotype in search["front"]}
    points = [
        {
            "accuracy": entry["score"],
            "latency": entry["cost"]["latency"],
            "sram_bytes": entry["cost"]["sram_bytes"],
            "on_front": tuple(entry["genotype"]) in front,
        }
        for entry in {tuple(e["genotype"]): e for e in entries}.values()
        if entry["cost"]["latency"] is not None
    ]
    marks = {
        name: {"accuracy": choice["score"], "latency": choice["cost"]["latency"]}
        for name, choice in search["choices"].items()
        if choice["cost"]["latency"] is not None
    }
    said = ", ".join(
        f"{len(values)} networks scored by {origin} (best {_score(max(values), accuracy)})"
        for origin, values in scores.items()
        if values
    )
    shorter = len(search["entries"]) - len(entries)
    macs_only = search["choices"].get("most MACs")
    return {
        "summary": (
            f"{said}, by the evaluator {evaluator}. All look at the network of the most MACs first."
            + (f" {shorter} evaluations at lower fidelities are not shown." if shorter else "")
        ),
        "progress": _figures.search_progress(
            scores, starts, None if macs_only is None else macs_only["score"], value=_value(evaluator, accuracy)
        ),
        "pareto": _figures.pareto_front(
            points, marks, search.get("unit_name", search["unit"]), value=_value(evaluator, accuracy)
        ),
        "source": f"search.json, seed {search['seed']}; scores are the records of kind evaluation in journal.jsonl",
    }


def _asked(search: Mapping[str, Any]) -> tuple[str, str, bool]:
    """The strategy, the evaluator, and whether its values are accuracies; older runs had one of each."""
    return search.get("strategy", "evolution"), search.get("evaluator", "supernet"), search.get("accuracy", True)


def _score(value: float, accuracy: bool) -> str:
    return f"{100 * value:.2f} % held out" if accuracy else f"{value:.4g}"


def _value(evaluator: str, accuracy: bool) -> _figures.Value:
    return _figures.Value(f"held-out accuracy, {evaluator} (%)", 100.0) if accuracy else _figures.Value(evaluator, 1.0)


def memory_section(run_directory: Path, result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The arena of the winner over time, planned again from winner.tflite as the build did."""
    model = run_directory / "winner.tflite"
    if result is None or not model.is_file():
        return None
    schedule = schedule_as_built(result["winner"], read_tflite(model))
    plan = plan_arena(schedule)
    available = result["winner"]["arena_available_bytes"]
    return {
        "figure": arena_timeline(schedule, plan, available),
        "source": f"winner.tflite, lowered and planned as for the firmware; no plan takes less than "
        f"{plan.lower_bound_bytes:,} bytes",
    }


def kernels_section(result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The kernel of each layer of the winner, and why; None for results that are older than the choice."""
    kernels = None if result is None else result["winner"].get("kernels")
    if kernels is None:
        return None
    rows = [
        {
            "name": layer["name"],
            "variant": layer["variant"],
            "reason": layer["reason"].removeprefix(f"{layer['variant']}: "),
            "others": [
                f"{a['variant']}: {a['note']}" for a in layer["alternatives"] if a["variant"] != layer["variant"]
            ],
            "changed": layer["variant"] != layer["local"],
        }
        for layer in kernels["layers"]
    ]
    changed = sum(row["changed"] for row in rows)
    summary = "The search costs every layer with the kernel of a local rule. "
    if kernels.get("not_compared"):
        summary += f"So does the winner: {kernels['not_compared']}."
        return {"summary": summary, "rows": rows, "source": "result.json"}
    summary += (
        "For the winner, all kernels that could execute a layer were compared by predicted ticks under the flash that "
        "was left, and none may raise the arena. "
    )
    if changed:
        ticks, flash = kernels["saved_ticks"], kernels["extra_flash_bytes"]
        summary += (
            f"{changed} of {len(rows)} layers have another kernel than by the local rule: "
            f"{abs(ticks):,} {kernels['unit']} {'fewer' if ticks >= 0 else 'more'} for "
            f"{abs(flash):,} bytes of flash {'more' if flash >= 0 else 'less'}."
        )
    else:
        summary += "The local rule's kernels are the best here."
    if kernels["gap_ticks"]:
        summary += f" The comparison ended early: another choice may take up to {kernels['gap_ticks']:,} fewer."
    return {"summary": summary, "rows": rows, "source": "result.json; `tinynas inspect --why` compares any model"}


def latency_section(records: Sequence[Record], winner: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Predicted against measured, per round and for the winner."""
    rounds = [
        record["result"]
        for record in records
        if record["kind"] == "finished" and record["work"].startswith("refinement ")
    ]
    if not rounds:
        return None
    unit, basis = rounds[0]["unit"], rounds[0].get("basis")  # which older runs do not name
    shown = f" ({basis})" if basis else ""
    panels = []
    for entry in rounds:
        measured = entry["measured"]
        for when in ("before", "after"):
            title = f"round {entry['round']}, {when}: {100 * entry[f'layer_error_{when}']:.3f} %"
            panels.append((title, entry[f"predicted_{when}"], measured))
    layers: list[dict[str, Any]] = []
    if winner is not None:
        layers = [
            {
                **layer,
                "error_before": _error(layer["before"], layer["measured"]),
                "error_after": _error(layer["after"], layer["measured"]),
            }
            for layer in winner["predicted_layers"]
        ]
        known = [layer for layer in layers if layer["after"] is not None]
        title = "winner: " + f"{100 * sum(abs(e['error_after']) for e in known) / max(1, len(known)):.3f} %"
        panels.append((title, [e["after"] for e in known], [e["measured"] for e in known]))
    return {
        "summary": (
            f"Layers are counted in {unit}{shown}. The first model was fitted to calibration networks; each round "
            "measured its best networks and refined the model with them, and the next round searched with the refined "
            "model."
        ),
        "figure": _figures.predicted_against_measured(panels, rounds[0].get("unit_name", unit)),
        "rounds": rounds,
        "layers": layers,
        "source": "the finished refinements in journal.jsonl, latency/model-*.json, winner/measurement.json",
    }


def architecture_section(result: Mapping[str, Any] | None) -> list[dict[str, str]] | None:
    """The blocks of the winner for a reader."""
    if result is None:
        return None
    return [
        {
            "name": block["name"],
            "kind": block["kind"],
            "input": "x".join(str(side) for side in block["input_shape"][1:]),
            "output": "x".join(str(side) for side in block["output_shape"][1:]),
            "parameters": ", ".join(f"{name} {value}" for name, value in block["parameters"].items()),
        }
        for block in result["winner"]["blocks"]
    ]


def _error(predicted: float | None, measured: float) -> float | None:
    return None if predicted is None else predicted / measured - 1.0
