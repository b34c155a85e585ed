"""The activation of an operator as bounds of its int8 output, and what clamping to them takes."""

from __future__ import annotations

from tinynas.graph import Activation
from tinynas.graph.fixed_point import quantized_activation_range
from tinynas.lowering._variants import WORD, KernelCall
from tinynas.lowering._weights import quantization_of

_INT8 = (-128, 127)

CLAMP_LOOPS = {
    "clamped": "1 where the activation is narrower than int8, so that outputs are clamped in a pass of their own",
    "clamped_words": "words of output in that pass",
    "clamped_bytes": "bytes that words leave over there",
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

    Behind a ReLU or ReLU6 whose output was calibrated nothing is clamped; nor is it, as far as is known, where there is
    no quantization yet.
    """
    clamped = call.output.quantization is not None and activation_range(call) != _INT8
    elements = call.output.elements if clamped else 0
    return {"clamped": int(clamped), "clamped_words": elements // WORD, "clamped_bytes": elements % WORD}
