"""Evolution against random search at equal evaluations, scored by the supernet of a finished run, over several seeds.

    tinynas run examples/fashion_mnist_f303k8_supernet.toml --out runs/supernet
    python benchmarks/search_vs_random.py examples/fashion_mnist_f303k8_supernet.toml runs/supernet --seeds 3

Both strategies search under the board's memory as the hard constraint and never score a network twice. All seeds share
the run's supernet. With --capacity, both look at the network of most MACs that fits first, as in `tinynas run`; without
it, they start from random networks only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tinynas.graph import DType
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline import CostModel, load_config
from tinynas.search import (
    Constraint,
    EvolutionarySearch,
    EvolutionOptions,
    RandomSearch,
    SearchProblem,
    SearchStrategy,
    Trial,
)
from tinynas.spaces import Architecture, Genotype, SearchSpace, build_graph, load_space
from tinynas.targets import Reserve, load_board
from tinynas.training import SubnetScorer, Supernet, load_dataset


def main() -> None:
    """Print best held-out accuracies; exit 1 if evolution's mean is below random search's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("config", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, help="default: as configured")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--capacity", action="store_true", help="start both as `tinynas run` does")
    arguments = parser.parse_args()

    config = load_config(arguments.config)
    board, space = load_board(config.board), load_space(config.space.name)
    chosen = json.loads((arguments.run / "space.json").read_text())["chosen"]
    dataset = load_dataset(config.data.dataset, held_out=config.data.holdout, seed=config.seed)
    data = dataset.resized(chosen["resolution"])
    costs = CostModel(
        board,
        NativeMemoryModel.for_board(board),
        Reserve(sram_bytes=config.reserve.sram_bytes, flash_bytes=config.reserve.flash_bytes),
    )
    channels, classes = dataset.image_shape[2], len(dataset.classes)

    def architecture(genotype: Genotype) -> Architecture:
        return space.decode(genotype, chosen["width"], chosen["resolution"], channels, classes)

    def violations(genotype: Genotype) -> tuple[str, ...]:
        return costs.of(architecture(genotype)).violations

    supernet = Supernet([build_graph(architecture(space.largest()), DType.FLOAT32)])
    supernet.load(arguments.run / "supernet.pt")
    rng = np.random.default_rng(config.seed)
    calibration = data.train.take(np.sort(rng.permutation(len(data.train))[: config.search.recalibration_images]))
    initial = (_most_macs(space, violations, lambda g: costs.of(architecture(g)).macs),) if arguments.capacity else ()
    evaluations = arguments.evaluations or config.search.evaluations
    population = config.search.population
    known: dict[Genotype, float] = {}
    table = Table(title=f"best of {evaluations} networks, held-out accuracy with shared weights, %")
    for column in ("seed", "evolution", "random search", "difference"):
        table.add_column(column, justify="right")
    differences = []
    with SubnetScorer(supernet, calibration.images, data.validation, processes=arguments.processes) as scorer:

        def search(strategy: SearchStrategy) -> float:
            best = 0.0
            for start in range(0, evaluations, population):
                asked = [strategy.ask().genotype for _ in range(min(population, evaluations - start))]
                missing = [g for g in asked if g not in known]
                scores = scorer.score([build_graph(architecture(g), DType.FLOAT32) for g in missing])
                known.update(zip(missing, scores, strict=True))
                for genotype in asked:
                    strategy.tell(Trial(genotype), known[genotype])
                    best = max(best, known[genotype])
            return best

        for seed in range(arguments.seeds):
            options = EvolutionOptions(population=population, parents=max(2, population // 4))
            problem = SearchProblem(space, violations, evaluations, initial=initial)
            evolution = search(EvolutionarySearch(problem, seed, options))
            random = search(RandomSearch(problem, seed))
            differences.append(100 * (evolution - random))
            table.add_row(str(seed), f"{100 * evolution:.2f}", f"{100 * random:.2f}", f"{differences[-1]:+.2f}")
    Console().print(table)
    print(f"mean difference {np.mean(differences):+.2f} points over {arguments.seeds} seeds")
    raise SystemExit(0 if np.mean(differences) >= 0 else 1)


def _most_macs(space: SearchSpace, violations: Constraint, macs: Callable[[Genotype], int]) -> Genotype:
    strategy = EvolutionarySearch(
        SearchProblem(space, violations, 2000), 0, EvolutionOptions(population=100, parents=20)
    )
    for _ in range(2000):
        trial = strategy.ask()
        strategy.tell(trial, float(macs(trial.genotype)))
    return max(strategy.scored, key=lambda observation: observation.score).genotype


if __name__ == "__main__":
    main()
