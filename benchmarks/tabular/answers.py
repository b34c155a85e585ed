"""What an evaluator says of networks, asked once and kept."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tabular.candidates import Candidate
from tinynas.evaluation import Estimate
from tinynas.pipeline.run.storage import Journal
from tinynas.spaces import Genotype

_KIND = "answer"
_LOG_EVERY_S = 30.0


def answers(
    candidate: Candidate, genotypes: Sequence[Genotype], journal: Journal
) -> tuple[npt.NDArray[np.float64], float]:
    """Values of networks, and the mean seconds of the processor for one; what the journal knows is not asked again.

    Args:
        candidate: whom to ask; it computes in this process.
        genotypes: the networks.
        journal: answers by the key of the evaluator.

    Returns:
        [networks] values in the order of `genotypes`, and seconds.
    """
    evaluator = candidate.evaluator
    known = {tuple(record["genotype"]) for record in journal.records(_KIND, key=evaluator.key)}
    missing = [genotype for genotype in genotypes if genotype not in known]
    last = logged = time.process_time()

    def keep(position: int, estimate: Estimate) -> None:
        nonlocal last, logged
        now = time.process_time()
        journal.append(
            _KIND,
            evaluator=candidate.name,
            key=evaluator.key,
            genotype=list(missing[position]),
            value=estimate.value,
            seconds=now - last,
        )
        last = now
        if now - logged > _LOG_EVERY_S:
            logged = now
            print(f"{candidate.name}: {position + 1} of {len(missing)} networks", flush=True)

    evaluator.evaluate(missing, progress=keep)
    evaluator.close()
    found = {tuple(record["genotype"]): record for record in journal.records(_KIND, key=evaluator.key)}
    values = np.array([found[genotype]["value"] for genotype in genotypes])
    return values, float(np.mean([found[genotype]["seconds"] for genotype in genotypes]))
