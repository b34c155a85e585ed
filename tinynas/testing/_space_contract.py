"""What every search space must do: inherit `BaseSpaceTestCase` and override `space`."""

from __future__ import annotations

import json
from collections.abc import Hashable
from itertools import islice, pairwise, product

import numpy as np
import pytest

from tinynas.graph import Graph, count_macs, count_params
from tinynas.lowering import lower
from tinynas.memory import block_cost, combine
from tinynas.spaces import (
    INACTIVE,
    Architecture,
    Cell,
    Genotype,
    SearchSpace,
    SpaceError,
    activity,
    build_block_graph,
    build_graph,
)
from tinynas.spaces.encodings import encode, encoding_names
from tinynas.spaces.encodings import encoding as encoding_of

_ENUMERABLE = 5_000


class BaseSpaceTestCase:
    """The contract of `SearchSpace`, for spaces in this project and in others. Override `space`.

    `BaseSharedWeightsTestCase` has what spaces that are searched with a supernet must be like besides.
    """

    draws = 20

    @pytest.fixture
    def space(self) -> SearchSpace:
        """The space to check."""
        raise NotImplementedError

    @pytest.fixture
    def genotypes(self, space: SearchSpace) -> list[Genotype]:
        """The smallest and the largest member, and random ones."""
        rng = np.random.default_rng(1)
        return [space.smallest(), space.largest(), *(space.sample(rng) for _ in range(self.draws))]

    @pytest.fixture
    def networks(self, space: SearchSpace) -> list[Architecture]:
        """Random networks over all widths and resolutions, some of them twice."""
        return random_networks(space, self.draws)

    def test_says_what_it_is(self, space: SearchSpace) -> None:
        assert isinstance(space, SearchSpace)
        assert space.name
        assert "\n" not in space.description
        grid = space.width_multipliers, space.resolutions
        assert all(axis and list(axis) == sorted(set(axis)) and axis[0] > 0 for axis in grid)
        assert space.configurations() == list(product(*grid))
        assert {resolution for _, resolution in space.configurations(grid[1][0])} == {grid[1][0]}
        assert space.definition() == json.loads(json.dumps(space.definition()))

    def test_variables_make_sense(self, space: SearchSpace) -> None:
        names = [variable.name for variable in space.variables]
        assert len(names) == len(set(names))
        for position, variable in enumerate(space.variables):
            assert variable.values, variable.name
            assert len(variable.values) == len(set(variable.values)), variable.name
            assert not variable.ordinal or list(variable.values) == sorted(variable.values), variable.name
            assert all(parent < position for parent, _ in variable.requires), variable.name

    def test_members_have_allowed_values_where_active_and_none_elsewhere(
        self, space: SearchSpace, genotypes: list[Genotype]
    ) -> None:
        for genotype in genotypes:
            space.check(genotype)
            assert all(type(value) is int for value in genotype)
            awake = activity(space.variables, genotype)
            for variable, value, here in zip(space.variables, genotype, awake, strict=True):
                assert value in variable.values if here else value == INACTIVE, variable.name

    def test_strangers_are_refused(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        for genotype in genotypes:
            awake = activity(space.variables, genotype)
            strangers = [genotype[:-1], (*genotype, 1)]
            for position, variable in enumerate(space.variables):
                other = max(variable.values) + 1 if awake[position] else variable.values[-1] or 1
                strangers.append((*genotype[:position], other, *genotype[position + 1 :]))
            for stranger in strangers:
                with pytest.raises(SpaceError):
                    space.check(stranger)

    def test_same_generator_same_moves(self, space: SearchSpace) -> None:
        def moves() -> list[object]:
            rng = np.random.default_rng(2)
            a, b = space.sample(rng), space.sample(rng)
            return [a, b, space.mutate(a, rng), space.crossover(a, b, rng), space.shrink(a, rng), rng.random()]

        assert moves() == moves()

    def test_moves_stay_in_the_space(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        rng = np.random.default_rng(3)
        for a, b in pairwise(genotypes):
            child = space.crossover(a, b, rng)
            space.check(child)
            assert space.crossover(a, a, rng) == a
            for rate in (0.0, 0.2, 1.0):
                mutant = space.mutate(a, rng, rate)
                space.check(mutant)
                assert (mutant == a) == (space.size() == 1)

    def test_neighbours_differ_in_one_variable(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        for genotype in genotypes[:5]:
            neighbours = list(space.neighbours(genotype))
            changes = _one_change(space, genotype)
            assert neighbours == list(space.neighbours(genotype))
            assert len(neighbours) == len({genotype, *neighbours}) - 1 <= len(changes)
            assert set(neighbours) >= {change for change in changes if _is_member(space, change)}
            for neighbour in neighbours:
                space.check(neighbour)

    def test_shrinking_ends_at_the_smallest(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        rng = np.random.default_rng(4)
        for genotype in genotypes:
            seen = {genotype}
            while (smaller := space.shrink(genotype, rng)) is not None:
                space.check(smaller)
                assert smaller not in seen, "shrinking goes in circles"
                seen.add(smaller)
                genotype = smaller
            assert genotype == space.smallest()

    def test_size_counts_every_member_once(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        listed = list(islice(space.enumerate(), _ENUMERABLE))
        assert len(listed) == len(set(listed)) == min(_ENUMERABLE, space.size())
        for genotype in listed:
            space.check(genotype)
        if space.size() <= _ENUMERABLE:
            assert set(listed) >= set(genotypes)

    def test_descriptions_are_lossless(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        for genotype in genotypes:
            assert space.from_description(json.loads(json.dumps(space.describe(genotype)))) == genotype

    def test_equal_networks_have_equal_genotypes(self, space: SearchSpace, genotypes: list[Genotype]) -> None:
        width, resolution = space.width_multipliers[-1], space.resolutions[0]
        known: dict[Hashable, Genotype] = {}
        for genotype in {*genotypes, *islice(space.neighbours(genotypes[-1]), 20)}:
            graph = build_graph(space.decode(genotype, width, resolution, 3, 10))
            assert graph == build_graph(space.decode(genotype, width, resolution, 3, 10))
            assert known.setdefault(_anonymous(graph), genotype) == genotype

    def test_networks_lead_from_an_image_to_logits(self, space: SearchSpace) -> None:
        for width, resolution in (space.configurations()[0], space.configurations()[-1]):
            graph = build_graph(space.decode(space.smallest(), width, resolution, 2, 7))
            assert [graph.tensor(i).shape for i in graph.inputs] == [(1, resolution, resolution, 2)]
            assert [graph.tensor(i).shape for i in graph.outputs] == [(1, 7)]
        for wrong in ((0.0, 16, 3, 10), (1.0, 0, 3, 10), (1.0, 16, 0, 10), (1.0, 16, 3, 0)):
            with pytest.raises(SpaceError):
                space.decode(space.smallest(), *wrong)

    def test_blocks_have_the_shapes_that_they_say_and_their_counts_add_up(self, networks: list[Architecture]) -> None:
        for network in networks:
            graph = build_graph(network)
            parts = [build_block_graph(block) for block in network.blocks]
            for block, part in zip(network.blocks, parts, strict=True):
                assert part.tensor(part.outputs[0]).shape == block.output_shape, block.name
            assert [op.name for part in parts for op in part.ops] == [op.name for op in graph.ops]
            assert sum(map(count_macs, parts)) == count_macs(graph)
            assert sum(map(count_params, parts)) == count_params(graph)

    def test_memory_of_blocks_composes_exactly(self, networks: list[Architecture]) -> None:
        """Blocks meet in single tensors, so the arena of the network is the largest of its blocks', to the byte."""
        for network in networks:
            parts = [block_cost(lower(build_block_graph(block))) for block in network.blocks]
            assert combine(parts) == block_cost(lower(build_graph(network)))

    def test_equal_signatures_mean_equal_blocks(self, networks: list[Architecture]) -> None:
        """Costs are cached by signature."""
        graphs: dict[Hashable, Hashable] = {}
        blocks = [block for network in networks for block in network.blocks]
        for block in blocks:
            computed = _anonymous(build_block_graph(block))
            assert graphs.setdefault(block.signature, computed) == computed, block.name
        assert len(graphs) < len(blocks)

    def test_wiring_is_of_one_form_and_tells_networks_apart(
        self, space: SearchSpace, genotypes: list[Genotype]
    ) -> None:
        structures = {genotype: _structure(space, genotype) for genotype in genotypes}
        cells = structures[space.smallest()]
        if cells is None:
            return
        assert len(set(structures.values())) == len(structures)
        for structure in structures.values():
            assert structure is not None
            assert [_form(cell) for cell in structure] == [_form(cell) for cell in cells]
            for cell in structure:
                places = dict(enumerate(cell.operators, start=cell.inputs))
                filled = {vertex for vertex, operator in places.items() if operator is not None}
                assert {places[vertex] for vertex in filled} <= set(cell.vocabulary), cell.name
                assert all(0 <= tail < head <= cell.output and head >= cell.inputs for tail, head in cell.edges)
                ends = {vertex for edge in cell.edges for vertex in edge}
                assert ends - set(range(cell.inputs)) == filled | {cell.output}, cell.name

    @pytest.mark.parametrize("encoding", encoding_names())
    def test_encodings_are_of_one_length_and_tell_networks_apart(
        self, space: SearchSpace, genotypes: list[Genotype], encoding: str
    ) -> None:
        if encoding in ("adjacency", "path") and _structure(space, space.smallest()) is None:
            with pytest.raises(SpaceError, match="wired"):
                encode(space, genotypes, encoding)
            return
        rows = encode(space, genotypes, encoding)
        assert rows.shape[0] == len(genotypes)
        assert np.isfinite(rows).all()
        assert encode(space, [], encoding).shape == (0, rows.shape[1])
        assert np.array_equal(encode(space, genotypes[-2:], encoding), rows[-2:])
        if encoding_of(encoding).injective:
            assert len(np.unique(rows, axis=0)) == len(set(genotypes))
        if encoding == "one-hot":
            assert set(np.unique(rows)) <= {0.0, 1.0}
            assert rows.sum(axis=1).tolist() == [sum(activity(space.variables, genotype)) for genotype in genotypes]


def random_networks(space: SearchSpace, count: int) -> list[Architecture]:
    """Random networks over all widths and resolutions of a space, the same every time, and the first once more."""
    rng = np.random.default_rng(1)
    configurations = space.configurations()
    networks = []
    for _ in range(count):
        width, resolution = configurations[rng.integers(len(configurations))]
        channels, classes = int(rng.choice([1, 3])), int(rng.integers(2, 100))
        networks.append(space.decode(space.sample(rng), width, resolution, channels, classes))
    return [*networks, networks[0]]


def _one_change(space: SearchSpace, genotype: Genotype) -> set[Genotype]:
    """`genotype` with another value of one active variable; what that wakes has its first value."""
    before = activity(space.variables, genotype)
    changes = set()
    for position, variable in enumerate(space.variables):
        for value in set(variable.values) - {genotype[position]} if before[position] else ():
            changed = [
                old if was else v.values[0] for v, old, was in zip(space.variables, genotype, before, strict=True)
            ]
            changed[position] = value
            after = activity(space.variables, changed)
            changes.add(tuple(new if here else INACTIVE for new, here in zip(changed, after, strict=True)))
    return changes


def _is_member(space: SearchSpace, genotype: Genotype) -> bool:
    try:
        space.check(genotype)
    except SpaceError:
        return False
    return True


def _structure(space: SearchSpace, genotype: Genotype) -> tuple[Cell, ...] | None:
    """How a network is wired; None if the space does not say."""
    try:
        return space.structure(genotype)
    except SpaceError:
        return None


def _form(cell: Cell) -> tuple[str, tuple[str, ...], int, int]:
    return cell.name, cell.vocabulary, len(cell.operators), cell.inputs


def _anonymous(graph: Graph) -> Hashable:
    """What a network computes, without its names."""
    ops = tuple((op.kind, op.inputs, op.outputs, op.attributes) for op in graph.ops)
    return ops, tuple((tensor.shape, tensor.dtype) for tensor in graph.tensors)
