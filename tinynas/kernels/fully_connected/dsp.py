"""Fully connected layers with DSP instructions: inputs in fours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinynas.graph import OpKind
from tinynas.kernels._clamp import CLAMP_LOOPS, clamp_features
from tinynas.kernels._constants import WORD, StepConstants
from tinynas.kernels._kernel import InstructionSet, KernelCall, KernelVariant, pairs
from tinynas.kernels._weights import quantization_of, weights_of
from tinynas.kernels.fully_connected.rows import (
    OUTPUTS,
    PARAMETERS,
    is_general,
    rows_of,
    table_bytes,
    table_constants,
)


def _in_fours_features(call: KernelCall) -> dict[str, float]:
    rows, quads = rows_of(call), call.weights.shape[-1] // WORD
    tiles, others = divmod(call.weights.shape[0], OUTPUTS)
    whole_rows, rest_rows = rows * (tiles > 0), rows * (others > 0)
    tiles, twos = rows * tiles, rows * pairs(others)
    general = is_general(call)
    general_sums = OUTPUTS * tiles + 2 * twos if general else 0
    own_scales = general and quantization_of(call.weights).per_channel
    return {
        "calls": 1,
        "rows": rows,
        "whole_rows": whole_rows,
        "rest_rows": rest_rows,
        "tiles": 0 if general else tiles,
        "quads": tiles * quads,
        "odd_quads": tiles * (quads % 2),
        "twos": 0 if general else twos,
        "quads_of_twos": twos * quads,
        "general_own_scales": general_sums if own_scales else 0,
        "general_one_scale": 0 if own_scales else general_sums,
        "general_twos": twos if general else 0,
        **clamp_features(call),
    }


def _in_fours(rows: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Weights [outputs, inputs] as [outputs / 4, inputs / 4, 4, 4], then the outputs that are left over."""
    outputs, inputs = rows.shape
    tiles = [rows[first : first + 4] for first in range(0, outputs, 4)]
    return np.concatenate([tile.reshape(-1, inputs // 4, 4).transpose(1, 0, 2).reshape(-1) for tile in tiles])


def _pack(call: KernelCall, name: str) -> StepConstants:
    return table_constants(call, name, _in_fours(weights_of(call).reshape(call.weights.shape[0], -1)))


FULLY_CONNECTED_IN_FOURS = KernelVariant(
    name="fully_connected_in_fours",
    kinds=(OpKind.FULLY_CONNECTED,),
    source="fully_connected/fully_connected_in_fours.c",
    helpers=("arithmetic/clamp_outputs.c",),
    symbol="tn_fully_connected_in_fours",
    parameters=PARAMETERS,
    applies=lambda call: call.weights.shape[-1] % WORD == 0,
    constant_bytes=table_bytes,
    pack=_pack,
    features=_in_fours_features,
    loops={
        "rows": "input rows",
        "whole_rows": "the same where there are four outputs or more",
        "rest_rows": "rows with outputs that four leave over",
        "tiles": "groups of four outputs, over all rows",
        "quads": "four inputs of each group: sixteen MACs each",
        "odd_quads": "groups whose loop leaves out half a round",
        "twos": "pairs of outputs that four left over, over all rows",
        "quads_of_twos": "four inputs of each pair",
        "general_own_scales": "outputs of groups and pairs that need the general requantization, each with its scale",
        "general_one_scale": "the same of a layer that has one scale",
        "general_twos": "pairs of outputs that four left over in both",
        **CLAMP_LOOPS,
    },
    instruction_sets=frozenset({InstructionSet.DSP}),
)
