"""A recurrent controller: a distribution over networks, one decision after the other, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinynas.spaces import INACTIVE, Genotype, Variable, active

Array = npt.NDArray[np.float64]


class Controller:
    """An RNN that decides variable by variable; each decision is the input of the next (Zoph and Le 2017, section 3.1).

    h_t = tanh(W h_{t-1} + e_{t-1} + b), the embedding e_{t-1} of the value decided last; pi(v | earlier) =
    softmax(U_t h_t + c_t), with an output layer of its own for each variable (figure 1 there). A variable that is
    not active is no decision. Zoph and Le take an LSTM of 35 units; sequences of a few dozen decisions need no gates.

    Args:
        variables: of the space.
        hidden: units.
        rng: of the first weights: uniform between -0.08 and 0.08, as in the paper's section 4.1.
    """

    def __init__(self, variables: Sequence[Variable], hidden: int, rng: np.random.Generator) -> None:
        self._variables = variables
        self._starts = np.cumsum([0, *(len(variable.values) for variable in variables)]).tolist()
        total = self._starts[-1]

        def uniform(*shape: int) -> Array:
            return rng.uniform(-0.08, 0.08, shape)

        self.parameters: dict[str, Array] = {
            "recurrent": uniform(hidden, hidden),
            "bias": np.zeros(hidden),
            "first": uniform(hidden),
            "embedding": uniform(total, hidden),
            "output": uniform(total, hidden),
            "output_bias": np.zeros(total),
        }

    def sample(self, rng: np.random.Generator, temperature: float = 1.0) -> Genotype:
        """A network drawn from the distribution; logits are divided by the temperature."""
        variables, parameters = self._variables, self.parameters
        draws = rng.random(len(variables))
        values = [INACTIVE] * len(variables)
        state, given = np.zeros(len(parameters["bias"])), parameters["first"]
        for i, variable in enumerate(variables):
            if not active(variables, values, i):  # which only looks at what was drawn before
                continue
            state = np.tanh(parameters["recurrent"] @ state + given + parameters["bias"])
            cumulative = np.cumsum(self._probabilities(state, i, temperature))
            place = min(int(np.searchsorted(cumulative, draws[i])), len(variable.values) - 1)
            values[i] = variable.values[place]
            given = parameters["embedding"][self._starts[i] + place]
        return tuple(values)

    def gradient(self, genotype: Genotype, advantage: float, entropy_weight: float) -> tuple[float, dict[str, Array]]:
        """A * log pi(genotype) + w * sum_t H(pi_t), and its gradient, by backpropagation through time.

        The expectation of A times the gradient of log pi is that of the expected score (Williams 1992).

        Args:
            genotype: the decisions.
            advantage: A.
            entropy_weight: w, of the entropies along these decisions.
        """
        parameters = self.parameters
        gradients = {name: np.zeros_like(value) for name, value in parameters.items()}
        decisions = [
            (i, variable.values.index(genotype[i]))
            for i, variable in enumerate(self._variables)
            if active(self._variables, genotype, i)
        ]
        states, probabilities = [np.zeros(len(parameters["bias"]))], []
        given = parameters["first"]
        value = 0.0
        for i, place in decisions:
            states.append(np.tanh(parameters["recurrent"] @ states[-1] + given + parameters["bias"]))
            probabilities.append(self._probabilities(states[-1], i))
            logs = np.log(probabilities[-1])
            value += advantage * float(logs[place]) - entropy_weight * float(probabilities[-1] @ logs)
            given = parameters["embedding"][self._starts[i] + place]
        back = np.zeros(len(parameters["bias"]))
        for t in reversed(range(len(decisions))):
            i, place = decisions[t]
            rows = slice(self._starts[i], self._starts[i + 1])
            p = probabilities[t]
            chosen = np.eye(len(p))[place]
            # d log p_a / d logits = 1_a - p, and d H / d logits = -p (log p + H).
            entropy = -float(p @ np.log(p))
            logits = advantage * (chosen - p) - entropy_weight * p * (np.log(p) + entropy)
            gradients["output"][rows] += np.outer(logits, states[t + 1])
            gradients["output_bias"][rows] += logits
            inner = (back + parameters["output"][rows].T @ logits) * (1 - states[t + 1] ** 2)
            gradients["recurrent"] += np.outer(inner, states[t])
            gradients["bias"] += inner
            if t == 0:
                gradients["first"] += inner
            else:
                before, decided = decisions[t - 1]
                gradients["embedding"][self._starts[before] + decided] += inner
            back = parameters["recurrent"].T @ inner
        return value, gradients

    def _probabilities(self, state: Array, i: int, temperature: float = 1.0) -> Array:
        rows = slice(self._starts[i], self._starts[i + 1])
        logits = self.parameters["output"][rows] @ state + self.parameters["output_bias"][rows]
        exponentials = np.exp((logits - logits.max()) / temperature)
        probabilities: Array = exponentials / exponentials.sum()
        return probabilities
