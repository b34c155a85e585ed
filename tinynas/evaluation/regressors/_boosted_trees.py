"""Gradient boosting of regression trees (Friedman 2001), several times on resampled values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinynas.evaluation.regressors._regressor import Array

# Below this, a difference is rounding.
_LEAST_GAIN = 1e-12


class BoostedTrees:
    """An ensemble of boosted trees; what its members disagree about is the deviation (bagging, Breiman 1996).

    Each member sees n values drawn with replacement. It begins with their mean; tree t is fitted to what the trees
    before it leave over and is added with a small factor (Friedman 2001, algorithm 2, least squares):

        F_t(x) = F_{t-1}(x) + learning_rate * tree_t(x)

    A tree splits where the sum of squares falls most, to `depth` levels.

    Args:
        features: [n, d].
        values: [n].
        rng: of the resampling.
        members: how many.
        trees: of each member.
        depth: of each tree.
        learning_rate: the factor.
    """

    def __init__(
        self,
        features: Array,
        values: Array,
        rng: np.random.Generator,
        *,
        members: int = 10,
        trees: int = 100,
        depth: int = 3,
        learning_rate: float = 0.1,
    ) -> None:
        count = members * trees
        self._learning_rate, self._depth, self._shape = learning_rate, depth, (members, trees)
        # Complete trees: the children of node i are 2i + 1 and 2i + 2. Nothing is larger than an infinite threshold.
        self._feature = np.zeros((count, 2**depth - 1), np.int64)
        self._threshold = np.full((count, 2**depth - 1), np.inf)
        self._leaf = np.zeros((count, 2**depth))
        self._start = np.zeros(members)
        for member in range(members):
            chosen = rng.integers(0, len(values), len(values))
            self._boost(features[chosen], values[chosen], member)

    def predict(self, features: Array) -> tuple[Array, Array]:
        """[m] mean and standard deviation over the members."""
        every = np.arange(len(self._leaf))
        predicted = np.stack([self._start + self._learning_rate * self._sums(every, row) for row in features])
        return predicted.mean(axis=1), predicted.std(axis=1)

    def _sums(self, trees: npt.NDArray[np.int64], row: Array) -> Array:
        """[members] the sum of the trees of each, for one row of features."""
        answers: Array = self._answers(trees, np.broadcast_to(row, (len(trees), len(row)))).reshape(self._shape)
        sums: Array = answers.sum(axis=1)
        return sums

    def _answers(self, trees: npt.NDArray[np.int64], features: Array) -> Array:
        """[m] what tree `trees[i]` says of row i of `features`."""
        rows = np.arange(len(trees))
        node = np.zeros(len(trees), np.int64)
        for _ in range(self._depth):
            larger = features[rows, self._feature[trees, node]] > self._threshold[trees, node]
            node = 2 * node + 1 + larger
        answers: Array = self._leaf[trees, node - (2**self._depth - 1)]
        return answers

    def _boost(self, features: Array, values: Array, member: int) -> None:
        order = np.argsort(features, axis=0, kind="stable").T
        self._start[member] = values.mean()
        left_over = values - values.mean()
        trees = self._shape[1]
        for tree in range(member * trees, (member + 1) * trees):
            self._grow(tree, 0, features, left_over, order, np.ones(len(values), bool))
            said = self._answers(np.full(len(values), tree), features)
            left_over = left_over - self._learning_rate * said

    def _grow(
        self,
        tree: int,
        node: int,
        features: Array,
        values: Array,
        order: npt.NDArray[np.int64],
        inside: npt.NDArray[np.bool_],
    ) -> None:
        """Grow the tree from `node` for the rows `inside`; `order` [d, n] has all rows by ascending feature."""
        first_leaf = 2**self._depth - 1
        if node >= first_leaf:
            self._leaf[tree, node - first_leaf] = values[inside].mean()
            return
        split = _best_split(features, values, order, inside)
        if split is None:
            # All rows go left, to a leaf of their own.
            self._grow(tree, 2 * node + 1, features, values, order, inside)
            return
        self._feature[tree, node], self._threshold[tree, node] = split
        larger = features[:, split[0]] > split[1]
        for child, side in ((2 * node + 1, ~larger), (2 * node + 2, larger)):
            self._grow(tree, child, features, values, order, inside & side)


def _best_split(
    features: Array, values: Array, order: npt.NDArray[np.int64], inside: npt.NDArray[np.bool_]
) -> tuple[int, float] | None:
    """Feature and threshold where the sum of squares falls most; None where no split tells the values apart."""
    count, width = int(inside.sum()), features.shape[1]
    if count < 2:
        return None
    rows = order[inside[order]].reshape(width, count)
    left = np.cumsum(values[rows], axis=1)[:, :-1]
    sizes = np.arange(1, count)
    total = float(values[inside].sum())
    # The fall of the sum of squares, up to a constant: S_l^2 / n_l + S_r^2 / n_r.
    gain = left**2 / sizes + (total - left) ** 2 / (count - sizes)
    ascending = features[rows, np.arange(width)[:, None]]
    gain[ascending[:, 1:] <= ascending[:, :-1]] = -np.inf
    feature, place = divmod(int(np.argmax(gain)), count - 1)
    if gain[feature, place] <= total**2 / count + _LEAST_GAIN:
        return None
    return feature, float(ascending[feature, place] + ascending[feature, place + 1]) / 2
