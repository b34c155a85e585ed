"""Which reference runtime the arithmetic follows."""

from __future__ import annotations

from enum import StrEnum


class Runtime(StrEnum):
    """The two reference runtimes. They agree in every operator but a few.

    - FULLY_CONNECTED: LiteRT (2.x) rounds acc * scale once, in double precision; TFLM rounds twice, as all other
      kernels of both runtimes do. About one output in 300 differs by one unit.
    - MUL: LiteRT multiplies and divides the three scales in float32, TFLM in double precision. About one output in
      10**5 differs by one unit.
    - LOGISTIC, TANH: LiteRT looks results of the real function up in a table, TFLM computes in fixed point.
    - ELU: LiteRT computes expm1(x), TFLM exp(x) - 1 in float32. LiteRT's reference kernels lack it: meant are
      those that its interpreter takes without a delegate.
    - RELU as an operator, LEAKY_RELU, ABS: LiteRT divides the scales in float32, TFLM in double precision.
    - RELU6 as an operator: LiteRT rescales, TFLM does not: they agree where input and output have one scale.

    TinyNAS, the firmware included, follows LiteRT; TFLM's numbers are there to check against it.
    """

    LITERT = "LiteRT"
    TFLM = "TFLM"
