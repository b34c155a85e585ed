"""Options of the gradient method."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from tinynas.search._method import MethodOptions

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class GradientOptions(MethodOptions):
    """Options of `GradientMethod`.

    Attributes:
        learning_rate: of the architecture parameters, with Adam.
        weight_decay: of the architecture parameters.
        warmup: share of the steps in which the weights alone are trained.
        first_temperature: of the relaxed choices at the first step.
        last_temperature: at the last step.
        cost_weight: exponent of the expected cost in the loss of the architecture parameters; 0: cost counts only
            beyond a limit.
        excess_weight: the same while the expected cost exceeds a limit.
        validation_images: held-out images to score networks on; a configuration has them in `[search]`.
        recalibration_images: training images for the batch-norm statistics; a configuration has them in `[search]`.
    """

    learning_rate: Positive = 0.05
    weight_decay: NotNegative = 1e-3
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    first_temperature: Positive = 5.0
    last_temperature: Positive = 0.1
    cost_weight: NotNegative = 0.07
    excess_weight: NotNegative = 1.0
    validation_images: Annotated[int, Field(ge=1)] = 2000
    recalibration_images: Annotated[int, Field(ge=1)] = 512

    def images(self) -> dict[str, Any]:
        """The options of the evaluator."""
        return self.model_dump(include={"validation_images", "recalibration_images"})
