"""Stage: the result of a run as one document, and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tinynas.pipeline.report import render_report
from tinynas.pipeline.run import RESULT, RESULT_FORMAT
from tinynas.pipeline.run.stages._comparison import compare_over_seeds
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._plan import PLAN
from tinynas.pipeline.run.stages._ruler import RULER
from tinynas.pipeline.run.stages._selection import SEARCH
from tinynas.pipeline.run.stages._verification import model_info

REPORT = "report.html"


def summarize(
    context: RunContext,
    chosen: ChosenSpace,
    contenders: Sequence[Contender],
    verified: Mapping[str, Mapping[str, Any]],
    tested: Mapping[str, Mapping[str, float]],
    left_out: Sequence[str],
) -> dict[str, Any]:
    """Write `result.json` and the report, and return the result."""
    context.progress.begin("report", 0)
    context.run.once("result", lambda: _write(context, chosen, contenders, verified, tested, left_out), [RESULT])
    result: dict[str, Any] = context.run.read_json(RESULT)
    context.run.write(REPORT, render_report(context.run.path))
    context.progress.end(str(context.run.file(REPORT)))
    return result


def _write(
    context: RunContext,
    chosen: ChosenSpace,
    contenders: Sequence[Contender],
    verified: Mapping[str, Mapping[str, Any]],
    tested: Mapping[str, Mapping[str, float]],
    left_out: Sequence[str],
) -> dict[str, Any]:
    entries = [_entry(contender, verified[contender.key], tested[contender.key]) for contender in contenders]
    winner = {
        **entries[0],
        **_winner_facts(context, chosen, contenders[0], verified["winner"]),
    }
    search = context.run.read_json(SEARCH)
    verdicts = list(context.run.journal.records("verdict"))
    document = {
        "format": RESULT_FORMAT,
        "board": context.board.name,
        "dataset": context.data.name,
        "seed": context.config.seed,
        "transport": context.config.measure.transport,
        "unit": verified["winner"]["unit"],
        "unit_name": context.quantity.name,
        "decided_by": context.quantity.as_json(),
        "test_images": len(context.data.test),
        "evaluator": search["evaluator"],
        "evaluator_is_accuracy": search["accuracy"],
        "ruler": context.run.read_json(RULER) if context.config.ruler.networks else None,
        "plan": context.run.read_json(PLAN) if context.run.finished("plan") else None,
        "width": chosen.width,
        "resolution": chosen.resolution,
        "winner": winner,
        "model_info": asdict(model_info("winner", context.data)),
        "baselines": [*entries[1:], *_untrained(search, contenders)],
        "comparison": compare_over_seeds(contenders, tested, context.config.baselines.seeds, left_out),
        "verdicts": {"networks": len(verdicts), "agree": sum(bool(v["agree"]) for v in verdicts)},
        "artefacts": {
            "model": str(context.run.file("winner.tflite")),
            "C code": str(context.run.file("winner/c")),
            "firmware": str(context.run.file("winner/firmware/firmware.elf")),
            "report": str(context.run.file(REPORT)),
        },
    }
    context.run.write_json(RESULT, document)
    return {"int8_accuracy": winner["int8_accuracy"]}


def _entry(contender: Contender, verified: Mapping[str, Any], tested: Mapping[str, float]) -> dict[str, Any]:
    return {
        "key": contender.key,
        "label": contender.label,
        "genotype": None if contender.genotype is None else list(contender.genotype),
        "shared_accuracy": contender.shared_accuracy,
        "int8_accuracy": tested["int8"],
        "float_accuracy": tested["float"],
        "macs": verified["macs"],
        "params": verified["params"],
        "sram_bytes": verified["sram_bytes"],
        "flash_bytes": verified["flash_bytes"],
        "latency": verified["ticks"],
    }


def _untrained(search: Mapping[str, Any], contenders: Sequence[Contender]) -> list[dict[str, Any]]:
    """What random search and counting MACs would have chosen, where it was not trained: its costs are predictions."""
    trained = {contender.genotype for contender in contenders[1:]}
    choices: dict[str, dict[str, Any]] = search["choices"]
    return [
        {
            "key": name,
            "label": f"{name} (not trained, predicted)",
            "genotype": choice["genotype"],
            "shared_accuracy": choice["score"],
            "int8_accuracy": None,
            "float_accuracy": None,
            "macs": choice["cost"]["macs"],
            "params": None,
            "sram_bytes": choice["cost"]["sram_bytes"],
            "flash_bytes": choice["cost"]["flash_bytes"],
            "latency": choice["cost"]["latency"],
        }
        for name, choice in choices.items()
        if name != "winner" and tuple(choice["genotype"]) not in trained
    ]


def _winner_facts(
    context: RunContext, chosen: ChosenSpace, contender: Contender, verified: Mapping[str, Any]
) -> dict[str, Any]:
    layout = context.board.layout
    regions = {region["name"]: region for region in verified["regions"]}
    arena_region = regions[layout.arena]
    # What the arena could grow to: its region, less what else lies there.
    beside = arena_region["used_bytes"] - verified["arena_bytes"]
    assert contender.genotype is not None
    return {
        "regions": verified["regions"],
        "latency_unit": verified["unit"],
        "latency_ms": verified["latency_ms"],
        "latency_basis": verified["latency_basis"],
        "images_compared": verified["images_compared"],
        "sram_high_water_bytes": verified["sram_high_water_bytes"],
        "instruction_set": verified["instruction_set"],
        "arena_limit_bytes": verified["arena_limit_bytes"],
        "unlinked": verified.get("unlinked", []),
        "patches": verified["patches"],
        "streams": verified["streams"],
        "kernels": verified["kernels"],
        "arena_available_bytes": arena_region["available_bytes"] - beside,
        "readable": chosen.space.describe(contender.genotype),
        "blocks": [
            {
                "name": block.name,
                "kind": block.kind,
                "input_shape": list(block.input_shape),
                "output_shape": list(block.output_shape),
                "parameters": dict(block.parameters),
            }
            for block in contender.architecture.blocks
        ],
    }
