"""TRANSPOSEs that undo each other are left out, also where operators stand between them that work on any layout."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph._commuting import commuted, moved_constant
from tinynas.graph._graph import Graph
from tinynas.graph._operator import Commuted, Op, OpKind
from tinynas.graph._permutations import Permutation, identity, inverse, moves_nothing, only_one, permuted
from tinynas.graph._tensor import Tensor
from tinynas.graph.ops.transpose import TransposeAttributes
from tinynas.graph.passes._fold_constants import MOST_BYTES
from tinynas.graph.passes._rewiring import Interface


def cancel_transposes(graph: Graph) -> Graph:
    """The graph with fewer bytes transposed, `graph` itself where late TRANSPOSEs leave as many.

    Each TRANSPOSE waits until somebody needs its output. Until then it joins with the next one, to nothing where that
    is its inverse, and operators that compute the same in any layout are executed on its input. Two graphs come of it,
    with such operators and without; the one that moves fewer bytes is taken.
    """
    if all(op.kind is not OpKind.TRANSPOSE for op in graph.ops):
        return graph
    best = graph
    for through_operators in (False, True):
        candidate = _LateTransposes(graph, through_operators).graph()
        if _moved_bytes(candidate) < _moved_bytes(best):
            best = candidate
    return best


def _moved_bytes(graph: Graph) -> tuple[int, int]:
    """Bytes that the TRANSPOSEs of a graph move, and how many TRANSPOSEs there are."""
    sizes = []
    for op in graph.ops:
        if isinstance(op.attributes, TransposeAttributes):
            x = graph.tensors[op.inputs[0]]
            sizes.append(0 if moves_nothing(op.attributes.permutation, x.shape) else x.size_bytes)
    return sum(sizes), len(sizes)


class _LateTransposes:
    """Builds the graph anew, operator by operator.

    `_late` has, for each tensor that a TRANSPOSE gives, what it is a TRANSPOSE of, and the permutation. Whoever needs
    it has it computed then, once.
    """

    def __init__(self, graph: Graph, through_operators: bool) -> None:
        self._original = graph
        self._through_operators = through_operators
        self._tensors = list(graph.tensors)
        self._ops: list[Op] = []
        self._late: dict[int, tuple[int, Permutation]] = {}
        self._transposes: dict[int, Op] = {}
        self._written: dict[tuple[int, Permutation], int] = {}
        self._computed: set[int] = set()
        self._constants: dict[tuple[int, Permutation], int] = {}
        self._left_bytes = MOST_BYTES

    def graph(self) -> Graph:
        """The new graph; tensors of the original keep their indices."""
        for op in self._original.ops:
            if not self._waits(op) and not (self._through_operators and self._moves_ahead(op)):
                self._ops.append(replace(op, inputs=tuple(self._needed(t) for t in op.inputs)))
        outputs = self._outputs()
        return replace(self._original, tensors=tuple(self._tensors), ops=tuple(self._ops), outputs=outputs)

    def _outputs(self) -> tuple[int, ...]:
        interface = Interface(self._original, {t for op in self._ops for t in op.outputs})
        return tuple(self._output(t, interface) for t in self._original.outputs)

    def _output(self, t: int, interface: Interface) -> int:
        if t not in self._late or t in self._computed:
            return t
        source, permutation = self._late[t]
        if permutation == identity(len(permutation)) and interface.gives_way(t, source):
            return source
        self._write(t)
        return t

    def _place(self, t: int) -> tuple[int, Permutation]:
        """What a tensor is a TRANSPOSE of, itself if nothing else."""
        return self._late.get(t, (t, identity(len(self._tensors[t].shape))))

    def _waits(self, op: Op) -> bool:
        if not isinstance(op.attributes, TransposeAttributes):
            return False
        source, permutation = self._place(op.inputs[0])
        if not self._same_values(source, op.outputs[0]):
            return False
        self._late[op.outputs[0]] = (source, permuted(permutation, op.attributes.permutation))
        self._transposes[op.outputs[0]] = op
        return True

    def _same_values(self, a: int, b: int) -> bool:
        return self._tensors[a].quantization == self._tensors[b].quantization

    def _moves_ahead(self, op: Op) -> bool:
        """Whether the operator was put in front of the TRANSPOSEs that it read."""
        sources = self._in_front(op)
        if sources is None:
            return False
        inputs, ahead = sources
        output = self._tensors[op.outputs[0]]
        new = replace(output, shape=permuted(output.shape, inverse(ahead.permutation)))
        index = self._add(new)
        self._ops.append(replace(ahead.op, inputs=inputs, outputs=(index,)))
        self._late[op.outputs[0]] = (index, ahead.permutation)
        return True

    def _in_front(self, op: Op) -> tuple[tuple[int, ...], Commuted] | None:
        """The inputs of an operator in front of the TRANSPOSEs that it reads, and what it is there."""
        activations = [t for t in op.inputs if t >= 0 and not self._tensors[t].constant]
        permutation = only_one([p for _, p in map(self._place, activations) if p != identity(len(p))])
        ahead = None if permutation is None else commuted(op, permutation, self._tensors[op.outputs[0]])
        if permutation is None or ahead is None:
            return None
        sources = {t: s for t in activations if (s := self._source(t, permutation)) is not None}
        constants = (t for t in op.inputs if self._tensors[t].constant)
        sources |= {t: s for t in constants if (s := self._moved_constant(t, permutation)) is not None}
        return (tuple(sources[t] for t in op.inputs), ahead) if sources.keys() >= set(op.inputs) else None

    def _moved_constant(self, t: int, permutation: Permutation) -> int | None:
        """The constant that, transposed by this permutation, is `t`; None beyond what graphs may have of them."""
        if (t, permutation) not in self._constants:
            if self._tensors[t].size_bytes > self._left_bytes:
                return None
            constant = moved_constant(self._tensors[t], permutation)
            if constant is None:
                return None
            self._left_bytes -= constant.size_bytes
            self._constants[t, permutation] = self._add(constant)
        return self._constants[t, permutation]

    def _source(self, t: int, permutation: Permutation) -> int | None:
        """What the tensor is a TRANSPOSE of by this permutation, as far as that is computed."""
        source, late = self._place(t)
        return source if late == permutation else self._written.get((source, inverse(permutation)))

    def _add(self, tensor: Tensor) -> int:
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _needed(self, t: int) -> int:
        """The tensor, computed by now, or another with the same values."""
        if t not in self._late:
            return t
        source, permutation = self._late[t]
        if permutation == identity(len(permutation)):
            return source
        if (source, permutation) not in self._written:
            self._write(t)
        return self._written[source, permutation]

    def _write(self, t: int) -> None:
        source, permutation = self._late[t]
        self._ops.append(Op(OpKind.TRANSPOSE, (source,), (t,), TransposeAttributes(permutation), self._name(t)))
        self._written.setdefault((source, permutation), t)
        self._computed.add(t)

    def _name(self, t: int) -> str:
        """Of the TRANSPOSE that writes a tensor: that of the file's own, if there was one."""
        op = self._transposes.get(t)
        return self._tensors[t].name if op is None else op.name
