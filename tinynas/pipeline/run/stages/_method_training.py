"""Stage: the training that the search method owns, if it has one."""

from __future__ import annotations

from typing import Any

from tinynas.pipeline.run.stages._context import RunContext
from tinynas.search import SearchMethod


def train_method(context: RunContext, method: SearchMethod) -> None:
    """Train the method, or take up what an earlier process trained."""
    if method.training_steps == 0:
        return
    # Plugins choose their names freely; those of works and files of other stages stay apart.
    work, file = f"method {method.name}", f"method-{method.name}.pt"
    if context.run.finished(work) is None:
        context.run.once(work, lambda: _train(context, method, file), [file])
    else:
        method.train(context.run.file(file))


def _train(context: RunContext, method: SearchMethod, file: str) -> dict[str, Any]:
    last = 0.0

    def report(step: int, steps: int, loss: float) -> None:
        nonlocal last
        last = loss
        context.progress.advance(step, f"loss {loss:.3f}")

    context.progress.begin(method.name, method.training_steps)
    method.train(context.run.file(file), report)
    context.progress.end(f"{method.training_steps} steps, last loss {last:.3f}")
    return {"loss": last, "steps": method.training_steps}
