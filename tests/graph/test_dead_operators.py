"""Operators whose results reach no output: removed where the network is lowered, executed where it is executed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.graph import DType, Graph, GraphBuilder, execute, validate, without_dead_operators
from tinynas.testing import int8_graphs, random_input


def with_dead_branch() -> tuple[Graph, int]:
    """A network with two dead operators, one of which reads the other; and the tensor that it gives."""
    b = GraphBuilder("dead", DType.FLOAT32)
    x = b.input((1, 4, 4, 2))
    alive = b.conv_2d(x, 3, 1, name="alive")
    b.max_pool_2d(b.conv_2d(x, 5, 3, name="dead"), 2, name="dead too")
    y = b.mean(alive, name="mean")
    return b.build([y]), y


def test_only_what_reaches_an_output_stays() -> None:
    graph, y = with_dead_branch()
    living = without_dead_operators(graph)
    validate(living)
    assert [op.name for op in living.ops] == ["alive", "mean"]
    assert living.tensors == graph.tensors
    assert living.outputs == (y,)


def test_an_output_that_nobody_reads_is_alive() -> None:
    graph, _ = with_dead_branch()
    both = replace(graph, outputs=tuple(op.outputs[0] for op in graph.ops[-2:]))
    assert without_dead_operators(both) is both


@settings(max_examples=50)
@given(int8_graphs(), st.data())
def test_outputs_do_not_depend_on_dead_operators(graph: Graph, data: st.DataObject) -> None:
    """Any tensor as the output: what comes behind it is dead."""
    output = data.draw(st.sampled_from([op.outputs[0] for op in graph.ops]))
    cut = replace(graph, outputs=(output,))
    living = without_dead_operators(cut)
    inputs = random_input(graph, np.random.default_rng(0))
    everything = execute(graph, inputs, keep_all=True)
    assert np.array_equal(execute(living, inputs)[output], everything[output])
    assert np.array_equal(execute(cut, inputs)[output], everything[output])
    assert {op.outputs[0] for op in cut.ops} <= execute(cut, inputs, keep_all=True).keys()
