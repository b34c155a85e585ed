"""The activation of an operator as bounds of its int8 output, and what clamping to them takes."""

from __future__ import annotations

from tinynas.graph import Activation
from tinynas.graph.fixed_point import quantized_activation_range
from tinynas.kernels._constants import WORD
from tinynas.kernels._kernel import InstructionSet, KernelCall
from tinynas.kernels._weights import quantization_of

_INT8 = (-128, 127)

_TURNS_TO_BEGIN = 2
"""With DSP instructions, what comes before and behind the loop takes as long as so many turns of it: 15 to 20
instructions, where a turn takes eight to ten."""

CLAMP_LOOPS = {
    "clamped": "turns of the loop that clamps outputs in a pass of its own, where the activation is narrower than int8",
}


def activation_range(call: KernelCall) -> tuple[int, int]:
    """The smallest and the largest output that the activation of a call lets through.

    Raises:
        MissingConstantsError: The output has no quantization.
    """
    activation = getattr(call.op.attributes, "activation", Activation.NONE)
    return quantized_activation_range(activation, quantization_of(call.output))


def clamp_features(call: KernelCall) -> dict[str, float]:
    """`CLAMP_LOOPS` of a kernel that ends with `tn_clamp_outputs`.

    With DSP instructions a turn is for a word, or for a byte that words leave over; elsewhere for a byte. One count,
    since all turns take about as long: what few layers tell apart a fit does not determine.

    Behind a ReLU or ReLU6 whose output was calibrated nothing is clamped; nor is it, as far as is known, where there is
    no quantization yet.
    """
    if call.output.quantization is None or activation_range(call) == _INT8:
        return {"clamped": 0}
    elements = call.output.elements
    if call.instruction_set is not InstructionSet.DSP:
        return {"clamped": elements}
    return {"clamped": _TURNS_TO_BEGIN + elements // WORD + elements % WORD}
