"""Whether the networks of a space can share the weights of one supernet."""

from __future__ import annotations

import operator

from tinynas import training
from tinynas.evaluation._errors import EvaluatorError
from tinynas.evaluation._task import EvaluationTask


def check_shared_weights(task: EvaluationTask) -> None:
    """Check that the weights of the largest network hold those of the smallest and of every neighbour of the largest.

    Neighbours differ from it in one variable, so that every value of every variable that it has is looked at once.

    Raises:
        EvaluatorError: they do not; the message names a weight.
    """
    space = task.space
    held = training.parameter_shapes(task.graph(space.largest()))
    for genotype in (space.smallest(), *space.neighbours(space.largest())):
        for name, shape in training.parameter_shapes(task.graph(genotype)).items():
            of_largest = held.get(name, ())
            fits = len(of_largest) == len(shape) and all(map(operator.le, shape, of_largest))
            if not fits:
                raise EvaluatorError(
                    f"the networks of space {space.name!r} share no weights: {name} of some is not part of the largest "
                    'one\'s; take another space, or an evaluator without a supernet (evaluator = "training", no '
                    'weights = "supernet")'
                )
