"""Regressions against formulas: what they predict, and how sure they say that is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tinynas.evaluation.regressors import BoostedTrees, MlpEnsemble, Ridge

Array = npt.NDArray[np.float64]


def line(count: int = 40, width: int = 6, noise: float = 0.1, seed: int = 0) -> tuple[Array, Array, Array]:
    """Random features, values linear in them with noise, and the coefficients."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((count, width))
    coefficients = rng.standard_normal(width)
    return features, features @ coefficients + 3 + noise * rng.standard_normal(count), coefficients


def test_ridge_solves_the_normal_equations() -> None:
    features, values, _ = line()
    ridge = Ridge(features, values)
    x = (features - features.mean(axis=0)) / features.std(axis=0)
    inverse = np.linalg.inv(x.T @ x + ridge.penalty * np.eye(6))
    mean, deviation = ridge.predict(features)
    np.testing.assert_allclose(mean, values.mean() + x @ inverse @ x.T @ (values - values.mean()))
    hat = 1 / 40 + np.einsum("ij,jk,ik->i", x, inverse @ x.T @ x @ inverse + ridge.penalty * inverse @ inverse, x)
    residuals = values - mean
    leverages = np.diag(x @ inverse @ x.T) + 1 / 40
    noise = np.sum(residuals**2) / (40 - leverages.sum())
    np.testing.assert_allclose(hat, leverages)
    np.testing.assert_allclose(deviation**2, noise * (1 + leverages))
    assert deviation.mean() == pytest.approx(0.1, rel=0.3)


def test_ridge_takes_the_penalty_that_predicts_best_what_is_left_out() -> None:
    features, values, _ = line(count=12, noise=2.0)
    penalty = Ridge(features, values).penalty

    def left_out(penalty: float) -> float:
        x = (features - features.mean(axis=0)) / features.std(axis=0)
        total = 0.0
        for i in range(12):
            keep = np.arange(12) != i
            a, b = x[keep] - x[keep].mean(axis=0), values[keep] - values[keep].mean()
            weights = np.linalg.solve(a.T @ a + penalty * np.eye(6), a.T @ b)
            total += (values[i] - values[keep].mean() - (x[i] - x[keep].mean(axis=0)) @ weights) ** 2
        return total

    assert left_out(penalty) <= min(left_out(10 * penalty), left_out(penalty / 10))


def test_ridge_is_less_sure_where_it_has_not_looked() -> None:
    rng = np.random.default_rng(1)
    features = np.column_stack([rng.standard_normal((20, 3)), np.zeros(20)])
    values = features[:, 0] + 0.1 * rng.standard_normal(20)
    _, deviation = Ridge(features, values).predict(np.array([[0.0, 0, 0, 0], [9, 9, 9, 0], [0, 0, 0, 5]]))
    assert deviation[1] > 2 * deviation[0]
    assert deviation[2] > 2 * deviation[0], "a feature that was constant is unknown, not known to be idle"


def test_one_tree_splits_where_the_squares_fall_most() -> None:
    features = np.array([[0.0, 1], [1, 0], [2, 1], [3, 0]])
    values = np.array([1.0, 1, 5, 5])

    class Everything(np.random.Generator):
        def integers(self, *args: object, **kwargs: object) -> Array:  # type: ignore[override]
            return np.arange(4)

    rng = Everything(np.random.PCG64(0))
    tree = BoostedTrees(features, values, rng, members=1, trees=1, depth=1, learning_rate=1.0)
    mean, deviation = tree.predict(np.array([[-1.0, 0], [1.4, 1], [1.6, 0], [9, 1]]))
    np.testing.assert_allclose(mean, [1, 1, 5, 5])
    np.testing.assert_allclose(deviation, 0)
    slow = BoostedTrees(features, values, rng, members=1, trees=3, depth=1, learning_rate=0.5)
    np.testing.assert_allclose(slow.predict(features)[0], 3 + np.array([-2, -2, 2, 2]) * (1 - 0.5**3))


def test_trees_learn_what_is_not_linear_and_disagree_where_they_guess() -> None:
    rng = np.random.default_rng(2)
    features = rng.integers(0, 2, (200, 6)).astype(float)
    values = np.where(features[:, 0] == features[:, 1], 1.0, 0.0) + 0.05 * rng.standard_normal(200)
    mean, deviation = BoostedTrees(features, values, rng).predict(features)
    assert np.corrcoef(mean, values)[0, 1] > 0.98
    assert np.all(deviation >= 0)
    assert deviation.max() > 0
    linear, _ = Ridge(features, values).predict(features)
    assert np.corrcoef(linear, values)[0, 1] < 0.5


def test_constant_values_are_predicted_as_they_are() -> None:
    features, _, _ = line(count=10)
    values = np.full(10, 0.7)
    for regressor in (Ridge(features, values), BoostedTrees(features, values, np.random.default_rng(0), members=2)):
        mean, deviation = regressor.predict(features)
        np.testing.assert_allclose(mean, 0.7)
        np.testing.assert_allclose(deviation, 0, atol=1e-6)


def test_networks_fit_a_line() -> None:
    features, values, _ = line(count=60)
    mean, deviation = MlpEnsemble(features, values, np.random.default_rng(0)).predict(features)
    assert np.corrcoef(mean, values)[0, 1] > 0.98
    assert np.all(deviation > 0)
