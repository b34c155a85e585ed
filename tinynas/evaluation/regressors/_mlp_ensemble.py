"""An ensemble of small neural networks that predict scores, trained side by side in NumPy."""

from __future__ import annotations

import numpy as np

from tinynas.evaluation.regressors._regressor import Array


class MlpEnsemble:
    """Multilayer perceptrons of one hidden layer that differ in their first weights, as in deep ensembles.

    Lakshminarayanan et al. 2017; White, Neiswanger, Savani 2021 (BANANAS) take five of them. Mean squared error on
    standardized scores, weight decay, full batches, Adam (Kingma and Ba 2015). The members are independent: they are
    trained in one batched product because that is faster.

    Args:
        features: [n, d].
        scores: [n].
        rng: of the first weights.
        members: how many.
        hidden: units.
        steps: of Adam.
        learning_rate: of Adam.
        weight_decay: L2, on the weights of both layers.
    """

    def __init__(
        self,
        features: Array,
        scores: Array,
        rng: np.random.Generator,
        *,
        members: int = 5,
        hidden: int = 32,
        steps: int = 200,
        learning_rate: float = 0.02,
        weight_decay: float = 1e-3,
    ) -> None:
        self._mean = float(np.mean(scores))
        self._spread = float(np.std(scores)) or 1.0
        width = features.shape[1]
        self._parameters = [
            rng.standard_normal((members, width, hidden)) / np.sqrt(width),
            np.zeros((members, 1, hidden)),
            rng.standard_normal((members, hidden, 1)) / np.sqrt(hidden),
            np.zeros((members, 1, 1)),
        ]
        targets = ((scores - self._mean) / self._spread)[None, :, None]
        first = [np.zeros_like(p) for p in self._parameters]
        second = [np.zeros_like(p) for p in self._parameters]
        for step in range(1, steps + 1):
            gradients = loss_gradients(self._parameters, features, targets, weight_decay)[1]
            for p, g, m, v in zip(self._parameters, gradients, first, second, strict=True):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                p -= learning_rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)

    def members(self, features: Array) -> Array:
        """[members, m] the score that each member predicts for [m, d] features."""
        predicted: Array = _forward(self._parameters, features)[1][:, :, 0]
        return self._mean + self._spread * predicted

    def predict(self, features: Array) -> tuple[Array, Array]:
        """[m] mean and standard deviation over the members."""
        predicted = self.members(features)
        return predicted.mean(axis=0), predicted.std(axis=0)


def _forward(parameters: list[Array], features: Array) -> tuple[Array, Array]:
    hidden = np.tanh(features[None] @ parameters[0] + parameters[1])
    return hidden, hidden @ parameters[2] + parameters[3]


def loss_gradients(
    parameters: list[Array], features: Array, targets: Array, weight_decay: float
) -> tuple[float, list[Array]]:
    """The loss, summed over members, and its gradient: 1/2 mean squared error + 1/2 `weight_decay` |W|^2.

    Args:
        parameters: [m, d, h], [m, 1, h], [m, h, 1], [m, 1, 1].
        features: [n, d].
        targets: [1, n, 1].
        weight_decay: L2.
    """
    hidden, predicted = _forward(parameters, features)
    error = predicted - targets
    decayed = sum(float(np.sum(parameters[i] ** 2)) for i in (0, 2))
    loss = 0.5 * float(np.sum(error**2)) / len(features) + 0.5 * weight_decay * decayed
    back = error / len(features)
    inner = (back @ parameters[2].transpose(0, 2, 1)) * (1 - hidden**2)
    return loss, [
        features.T[None] @ inner + weight_decay * parameters[0],
        inner.sum(axis=1, keepdims=True),
        hidden.transpose(0, 2, 1) @ back + weight_decay * parameters[2],
        back.sum(axis=1, keepdims=True),
    ]
