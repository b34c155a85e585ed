"""The gradient method: masks are subnets, expected costs are means, gradients are right, planted choices are found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gradient_tasks import ALL_CHANGES, POINTWISE_OR_NOT, macs, method_of, task_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.graph import Activation, GraphBuilder, Padding
from tinynas.search import BlockCosts, MethodError, SearchProblem
from tinynas.spaces import (
    INACTIVE,
    Architecture,
    Block,
    BlockKind,
    Genotype,
    SearchSpace,
    Variable,
    VariableSpace,
    activity,
    load_space,
    register_block_kind,
)

pytest.importorskip("torch")

import torch

from tinynas.search.methods.gradient import LearnedDistribution
from tinynas.search.methods.gradient._dependence import Dependence
from tinynas.search.methods.gradient._distribution import mode
from tinynas.search.methods.gradient._method import one_hot
from tinynas.search.methods.gradient._relax import cost_terms, relax
from tinynas.training import Supernet, TrainingSettings
from tinynas.training._architecture import (
    ArchitectureSettings,
    Choices,
    ExpectedCost,
    accuracy_loss,
    architecture_loss,
    gumbel_noise,
)
from tinynas.training._bilevel import halves_of
from tinynas.training._relaxed_supernet import RelaxedSupernet

SPACES = {"all changes": (ALL_CHANGES, 8), "mobile-tiny": (load_space("mobile-tiny"), 16)}


def relaxed_of(space: SearchSpace, side: int) -> tuple[Any, RelaxedSupernet]:
    """The graphs of a space, and its relaxed supernet with random weights, in float64."""
    evaluation = replace(task_of(space).evaluation, resolution=side)
    relaxed = relax(space.name, Dependence(space.variables), evaluation.graph)
    supernet = Supernet([evaluation.graph(space.largest())], seed=3)
    supernet.parameters.attach(supernet.parameters.flat.double())
    return evaluation.graph, RelaxedSupernet(supernet, relaxed)


MODELS = {name: relaxed_of(space, side) for name, (space, side) in SPACES.items()}


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_where_choices_are_certain_the_masks_are_the_subnet(name: str, seed: int) -> None:
    space, side = SPACES[name]
    graph_of, model = MODELS[name]
    rng = np.random.default_rng(seed)
    genotype = space.sample(rng)
    images = torch.from_numpy(rng.random((3, side, side, 1)))
    with torch.no_grad():
        expected = model.supernet.logits(graph_of(genotype), images)
        found = model.logits(torch.from_numpy(one_hot(space, genotype)), images)
    assert (found - expected).abs().max() <= 1e-9 * expected.abs().max()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_values_of_what_is_not_there_change_nothing(seed: int) -> None:
    """With a depth of 1 for certain, the second block's kernel and expansion are nobody's."""
    _, model = MODELS["all changes"]
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.random((3, 8, 8, 1)))
    parts = [rng.dirichlet(np.ones(len(variable.values))) for variable in ALL_CHANGES.variables]
    names = [variable.name for variable in ALL_CHANGES.variables]
    parts[names.index("stage2.depth")] = np.array([1.0, 0.0])
    first = model.logits(torch.from_numpy(np.concatenate(parts)), images)
    for gene in ("kernel", "expansion"):
        position = names.index(f"stage2.block2.{gene}")
        parts[position] = rng.dirichlet(np.ones(len(parts[position])))
    assert torch.allclose(model.logits(torch.from_numpy(np.concatenate(parts)), images), first, rtol=1e-9)


def architecture_of(space: SearchSpace) -> Any:
    return lambda genotype: space.decode(genotype, 1.0, 8, 1, 2)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_the_expected_cost_is_the_mean_over_all_networks(seed: int) -> None:
    """Enumerated: every network times its probability, inactive variables left out of that."""
    space, rng = ALL_CHANGES, np.random.default_rng(seed)
    probabilities = [rng.dirichlet(np.ones(len(variable.values))) for variable in space.variables]
    mean = total = 0.0
    for genotype in space.enumerate():
        awake = activity(space.variables, genotype)
        likely = np.prod(
            [
                p[variable.values.index(value)]
                for p, variable, value, here in zip(probabilities, space.variables, genotype, awake, strict=True)
                if here
            ]
        )
        total += likely
        mean += likely * sum(map(macs, architecture_of(space)(genotype).blocks))
    assert total == pytest.approx(1)
    terms = cost_terms(space.name, Dependence(space.variables), architecture_of(space), BlockCosts(macs))
    sizes = [len(variable.values) for variable in space.variables]
    expected = ExpectedCost(terms, Choices(sizes, [True] * sum(sizes)))
    assert float(expected(torch.from_numpy(np.concatenate(probabilities)))) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("limit", [None, 5e3, 1e9], ids=["no limit", "beyond it", "within it"])
def test_gradients_of_architecture_parameters_are_those_of_finite_differences(limit: float | None) -> None:
    space, (_, model) = ALL_CHANGES, MODELS["all changes"]
    rng = np.random.default_rng(1)
    sizes = [len(variable.values) for variable in space.variables]
    choices = Choices(sizes, [True] * sum(sizes))
    terms = cost_terms(space.name, Dependence(space.variables), architecture_of(space), BlockCosts(macs, limit))
    cost, how = ExpectedCost(terms, choices), ArchitectureSettings()
    images, labels = torch.from_numpy(rng.random((6, 8, 8, 1))), torch.tensor([0, 1, 0, 1, 1, 0])
    noise = gumbel_noise(0, 0, 0, 1, sum(sizes))

    def loss(alpha: torch.Tensor) -> torch.Tensor:
        logits = model.logits(choices.relaxed(alpha, noise, 0.7), images)
        relative = cost.relative(choices.probabilities(alpha))
        return architecture_loss(accuracy_loss(logits, labels, 0.1), relative, how, cost.limited)

    alpha = torch.from_numpy(rng.normal(size=sum(sizes))).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(alpha), [alpha])
    step = 1e-6
    with torch.no_grad():
        differences = [(loss(alpha + step * e) - loss(alpha - step * e)) / (2 * step) for e in torch.eye(len(alpha))]
    assert torch.allclose(gradient, torch.stack(differences), rtol=1e-4, atol=1e-8)
    assert gradient.abs().max() > 1e-4


def found(seed: int, informative: bool, limit: float | None = None, **options: Any) -> dict[str, float]:
    """What a search gives each largest value of the first block, and the depth of 2."""
    task = task_of(POINTWISE_OR_NOT, seed=seed, informative=informative, costs=BlockCosts(macs, limit))
    method = method_of(task, **options)
    method.train()
    names = [variable.name.removeprefix("stage1.") for variable in POINTWISE_OR_NOT.variables]
    return {name: float(p[-1]) for name, p in zip(names, method.probabilities(), strict=True)}


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_kernel_without_which_nothing_can_be_told_is_found(seed: int) -> None:
    """Networks of kernels of 1 are at chance whatever their weights: rows and columns have the same pixels."""
    probability = found(seed, informative=True)
    assert probability["block1.kernel"] > 0.6
    assert max(probability["block1.kernel"], probability["block2.kernel"]) > 0.7


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_where_nothing_can_be_told_the_cheapest_network_is_found(seed: int) -> None:
    """No choice lowers the cross-entropy on the other half of the examples, and every larger one costs more."""
    probability = found(seed, informative=False, cost_weight=0.3, learning_rate=0.1)
    assert max(probability["depth"], probability["block1.kernel"], probability["block1.expansion"]) < 0.2


@pytest.mark.parametrize("seed", [0, 1])
def test_a_limit_holds_in_the_mean(seed: int) -> None:
    """Without one, nothing makes the search spare anything; with one, the mean ends within it."""
    space = POINTWISE_OR_NOT
    blocks = architecture_of(space)
    middle = sum(sum(map(macs, blocks(genotype).blocks)) for genotype in (space.smallest(), space.largest())) / 2
    costs = {}
    for limit in (None, middle):
        task = task_of(space, seed=seed, costs=BlockCosts(macs, limit))
        method = method_of(task, cost_weight=0.0)
        method.train()
        terms = cost_terms(space.name, Dependence(space.variables), blocks, BlockCosts(macs))
        sizes = [len(variable.values) for variable in space.variables]
        expected = ExpectedCost(terms, Choices(sizes, [True] * sum(sizes)))
        costs[limit] = float(expected(torch.from_numpy(np.concatenate(method.probabilities()))))
    assert costs[middle] <= 1.02 * middle
    assert costs[middle] < costs[None]


def test_a_value_that_no_network_may_have_is_never_drawn() -> None:
    def violations(genotype: Genotype) -> tuple[str, ...]:
        return ("too deep",) if genotype[0] == 2 else ()

    task = task_of(POINTWISE_OR_NOT, training=TrainingSettings(8, batch_size=16))
    method = method_of(replace(task, problem=replace(task.problem, constraint=violations)))
    method.train()
    depth = method.probabilities()[0]
    assert list(depth) == [1.0, 0.0]
    assert np.isfinite(np.concatenate(method.probabilities())).all()


def test_two_processes_give_the_same_bits() -> None:
    task = task_of(POINTWISE_OR_NOT, training=TrainingSettings(4, batch_size=16))
    trained = []
    for processes in (1, 2):
        method = method_of(replace(task, evaluation=replace(task.evaluation, processes=processes)))
        method.train()
        assert method.supernet is not None
        trained.append((method.supernet.parameters.flat.clone(), np.concatenate(method.probabilities())))
    (weights, probabilities), (of_two, probabilities_of_two) = trained
    assert weights.equal(of_two)
    assert (probabilities == probabilities_of_two).all()


def test_weights_and_architecture_are_trained_on_different_examples() -> None:
    data = task_of(POINTWISE_OR_NOT).evaluation.train
    halves = halves_of(data, seed=1)
    rows = [{image.tobytes() for image in half.images} for half in halves]
    assert abs(len(halves[0]) - len(halves[1])) <= 1
    assert len(halves[0]) + len(halves[1]) == len(data)
    assert not rows[0] & rows[1]


class OneOfTwo(VariableSpace):
    """A convolution or a pooling: two operators, neither of which is part of the other."""

    def __init__(self) -> None:
        super().__init__("one of two", [Variable("operator", (0, 1), ordinal=False)], resolutions=(8,))

    def decode(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 3, classes: int = 1000
    ) -> Architecture:
        self.check(genotype)
        shape = (1, resolution, resolution, input_channels)
        block = register_and_build(shape, genotype[0], classes)
        return Architecture((block,), shape, self.name)


def build(builder: GraphBuilder, x: int, block: Block) -> int:
    x = builder.conv_2d(x, 4, 3, activation=Activation.RELU6, name="stem")
    if block.parameter("pooled"):
        x = builder.max_pool_2d(x, 3, stride=1, padding=Padding.SAME, name="pool")
    else:
        x = builder.conv_2d(x, 4, 3, activation=Activation.RELU6, name="conv")
    x = builder.mean(x, keep_dims=True, name="mean")
    x = builder.conv_2d(x, block.parameter("classes"), 1, name="classifier")
    return builder.reshape(x, block.output_shape, name="logits")


KIND = BlockKind("one_of_two", build, {}, ("pooled", "classes"), lambda _, settings: (1, settings["classes"]))


def register_and_build(shape: tuple[int, ...], pooled: int, classes: int) -> Block:
    register_block_kind(KIND)
    return KIND.block("all", shape, {"pooled": pooled, "classes": classes})


def test_a_space_whose_networks_are_no_parts_of_its_largest_is_refused_at_once() -> None:
    with pytest.raises(MethodError, match="cannot search 'one of two': operator 'conv' is not part of its largest"):
        method_of(task_of(OneOfTwo()))


def test_a_block_whose_cost_is_not_known_is_named() -> None:
    with pytest.raises(MethodError, match=r"the ticks of 'stem' are not known"):
        method_of(task_of(POINTWISE_OR_NOT, costs=BlockCosts(lambda _: None, 1e6, "ticks")))


@pytest.mark.parametrize("seed", range(5))
def test_the_mode_is_asked_first_and_then_what_is_near_it(seed: int) -> None:
    """A distribution that has all but settled goes on with its neighbours, not with random networks."""
    space, rng = load_space("mobile-tiny"), np.random.default_rng(seed)
    probabilities = []
    for variable in space.variables:
        weights = np.full(len(variable.values), 0.01)
        weights[rng.integers(len(weights))] = 1.0
        probabilities.append(weights / weights.sum())
    strategy = LearnedDistribution(SearchProblem(space, lambda _: (), 30), seed, probabilities)
    first, *others = [strategy.ask().genotype for _ in range(30)]
    assert first == mode(space.variables, probabilities)
    chosen = [variable.values[int(np.argmax(p))] for variable, p in zip(space.variables, probabilities, strict=True)]
    awake = activity(space.variables, first)
    assert first == tuple(value if here else INACTIVE for value, here in zip(chosen, awake, strict=True))

    def changed(genotypes: list[Genotype]) -> float:
        """Mean number of genes that differ from the mode's."""
        return float(np.mean([sum(a != b for a, b in zip(genotype, first, strict=True)) for genotype in genotypes]))

    assert changed(others) < 0.6 * changed([space.sample(rng) for _ in others])
