"""From a search space to a relaxed graph: what of the largest network depends on which variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tinynas import training
from tinynas.graph import Graph
from tinynas.search._errors import MethodError
from tinynas.search._method import BlockCosts
from tinynas.search.methods.gradient._dependence import Dependence
from tinynas.spaces import Architecture, Block, Genotype

if TYPE_CHECKING:
    from tinynas.training import CostTerms, RelaxedGraph

GRAPH_INPUT = ""
"""In place of the name of an operator: the input of the graph."""


class OperatorFacts(NamedTuple):
    """What choices may change of an operator.

    Attributes:
        producers: names of the operators that write what it reads.
        channels: of what it gives.
        kernel: (height, width) of its weights; None: it has none that are 4-D.
    """

    producers: tuple[str, ...]
    channels: int
    kernel: tuple[int, int] | None


def relax(name: str, dependence: Dependence, graph_of: Callable[[Genotype], Graph]) -> RelaxedGraph:
    """What of the largest network depends on which variables.

    Args:
        name: of the space, for messages.
        dependence: on the variables of the space.
        graph_of: the float32 network of a genotype.

    Raises:
        MethodError: the networks of the space are no parts of the largest.
    """
    largest = graph_of(dependence.genotype())
    described: dict[Genotype, dict[str, OperatorFacts]] = {}

    def facts(genotype: Genotype) -> dict[str, OperatorFacts]:
        if genotype not in described:
            described[genotype] = _facts(name, graph_of(genotype), largest)
        return described[genotype]

    def producer(op: str, position: int) -> Callable[[Genotype], str | None]:
        return lambda genotype: found.producers[position] if (found := facts(genotype).get(op)) else None

    def channels(op: str) -> Callable[[Genotype], int | None]:
        return lambda genotype: found.channels if (found := facts(genotype).get(op)) else None

    def kernel(op: str) -> Callable[[Genotype], tuple[int, int] | None]:
        return lambda genotype: found.kernel if (found := facts(genotype).get(op)) else None

    rewiring = dependence.influences(
        lambda genotype: tuple((op, found.producers) for op, found in facts(genotype).items())
    )
    tensor_of = {GRAPH_INPUT: largest.inputs[0], **{op.name: op.outputs[0] for op in largest.ops}}
    inputs = {}
    sizes, kernels = {}, {}
    for index, op in enumerate(largest.ops):
        for position in range(len(largest.activation_inputs(op))):
            read = dependence.mixture(producer(op.name, position), rewiring)
            if read is not None:
                sources = tuple(tensor_of[source] for source in read.values)
                inputs[index, position] = training.Mixture(sources, read.terms)
        given = dependence.mixture(channels(op.name), dependence.influences(channels(op.name)))
        if given is not None:
            sizes[op.name] = given
        crop = dependence.mixture(kernel(op.name), dependence.influences(kernel(op.name)))
        if crop is not None:
            kernels[op.name] = crop
    return training.RelaxedGraph(largest, dependence.sizes, inputs, sizes, kernels)


def cost_terms(
    name: str, dependence: Dependence, architecture_of: Callable[[Genotype], Architecture], costs: BlockCosts
) -> CostTerms:
    """What a network is expected to cost: the sum over blocks and their settings of probability times predicted cost.

    Args:
        name: of the space, for messages.
        dependence: on the variables of the space.
        architecture_of: the blocks of a genotype.
        costs: of blocks.

    Raises:
        MethodError: what a block costs is not known.
    """
    blocks: dict[Genotype, dict[str, Block]] = {}

    def block(of: str) -> Callable[[Genotype], Block | None]:
        def fact(genotype: Genotype) -> Block | None:
            if genotype not in blocks:
                blocks[genotype] = {block.name: block for block in architecture_of(genotype).blocks}
            return blocks[genotype].get(of)

        return fact

    constant, terms, predicted = 0.0, [], []
    for each in architecture_of(dependence.genotype()).blocks:
        for found, term in dependence.terms(block(each.name)):
            cost = costs.of(found)
            if cost is None:
                raise MethodError(
                    f"search method 'gradient' cannot search {name!r}: the {costs.unit} of {found.name!r} are "
                    "not known; calibrate the board with more networks"
                )
            if term:
                terms.append(term)
                predicted.append(float(cost))
            else:
                constant += float(cost)
    return training.CostTerms(constant, tuple(terms), tuple(predicted), costs.limit)


def _facts(name: str, graph: Graph, largest: Graph) -> dict[str, OperatorFacts]:
    known = {op.name: op for op in largest.ops}
    found: dict[str, OperatorFacts] = {}
    for op in graph.ops:
        of_largest = known.get(op.name)
        if not op.name or op.name in found:
            raise _cannot(name, f"operators need unique names, got {op.name!r}")
        if of_largest is None:
            raise _cannot(name, f"operator {op.name!r} is not part of its largest network")
        if (op.kind, op.attributes) != (of_largest.kind, of_largest.attributes):
            raise _cannot(name, f"operator {op.name!r} is another one in its largest network")
        found[op.name] = OperatorFacts(
            tuple(_producer(graph, tensor) for tensor in graph.activation_inputs(op)),
            graph.tensor(op.outputs[0]).shape[-1],
            _kernel(graph, op.inputs) if op.spec.is_convolution else None,
        )
    return found


def _producer(graph: Graph, tensor: int) -> str:
    producer = graph.producers.get(tensor)
    return GRAPH_INPUT if producer is None else graph.ops[producer].name


def _kernel(graph: Graph, inputs: Sequence[int]) -> tuple[int, int]:
    _, height, width, _ = graph.tensor(inputs[1]).shape
    return height, width


def _cannot(name: str, why: str) -> MethodError:
    return MethodError(f"search method 'gradient' cannot search {name!r}: {why}; take method = \"sampled\"")
