"""Models of scores against direct formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from tinynas.evaluation.regressors import MlpEnsemble
from tinynas.evaluation.regressors._mlp_ensemble import loss_gradients
from tinynas.search.surrogates import (
    GaussianProcess,
    IndependentParzen,
    JointParzen,
    expected_improvement,
    places_of,
)
from tinynas.search.surrogates._gaussian_process import Hyperparameters, distances, negative_log_posterior
from tinynas.search.surrogates._parzen import smoothing
from tinynas.spaces import Condition, Variable

DEPTH = Variable("depth", (1, 2))
KERNEL = Variable("kernel", (3, 5, 7))
KIND = Variable("kind", (0, 1, 2, 3), ordinal=False, requires=(Condition(0, (2,)),))
VARIABLES = (DEPTH, KERNEL, KIND)
GENOTYPES = [(1, 3, 0), (1, 7, 0), (2, 3, 0), (2, 5, 3), (2, 7, 1), (1, 5, 0), (2, 7, 2)]
SCORES = np.array([0.2, 0.5, 0.4, 0.9, 0.8, 0.35, 0.7])


def test_places_tell_an_inactive_variable_from_its_value_0() -> None:
    assert places_of(VARIABLES, [(1, 3, 0), (2, 3, 0), (2, 7, 3)]).tolist() == [[0, 0, -1], [1, 0, 0], [1, 2, 3]]


def test_distances_are_hamming_or_of_places() -> None:
    places = places_of(VARIABLES, [(1, 3, 0), (2, 5, 3), (2, 7, 1)])
    apart = distances(VARIABLES, places, places)
    assert apart[0].tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert apart[1].tolist() == [[0, 0.5, 1], [0.5, 0, 0.5], [1, 0.5, 0]]
    assert apart[2].tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_the_posterior_is_that_of_the_direct_formula() -> None:
    """Rasmussen and Williams 2006, equations 2.25 and 2.26, with an inverse in place of the factor."""
    places, new = places_of(VARIABLES, GENOTYPES[:5]), places_of(VARIABLES, GENOTYPES[4:])
    scores, hyperparameters = SCORES[:5], Hyperparameters(np.array([0.5, 1.0, 2.0]), 0.1)
    known = np.array([0.0, 0.0, 0.01, 0.0, 0.02])
    mean, deviation = GaussianProcess(VARIABLES, places, scores, known, hyperparameters).predict(new)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-np.einsum("d,dnm->nm", hyperparameters.inverse_lengths, distances(VARIABLES, a, b)))

    centred = (scores - scores.mean()) / scores.std()
    inverse = np.linalg.inv(kernel(places, places) + np.diag(0.1 + 1e-8 + known / scores.var()))
    signal = centred @ inverse @ centred / 5
    cross = kernel(places, new)
    variance = signal * (1 - np.diag(cross.T @ inverse @ cross))
    np.testing.assert_allclose(mean, scores.mean() + scores.std() * (cross.T @ inverse @ centred), rtol=1e-9)
    np.testing.assert_allclose(deviation, scores.std() * np.sqrt(variance), rtol=1e-7)


def test_the_gradient_of_the_marginal_likelihood() -> None:
    places = places_of(VARIABLES, GENOTYPES)
    apart = distances(VARIABLES, places, places)
    targets, extra = (SCORES - SCORES.mean()) / SCORES.std(), np.full(7, 0.01)
    at = np.array([-1.0, 0.3, -0.5, -3.0])
    _, gradient = negative_log_posterior(at, apart, targets, extra)
    for i, step in enumerate(1e-6 * np.eye(4)):
        higher, lower = (negative_log_posterior(at + sign * step, apart, targets, extra)[0] for sign in (1, -1))
        assert gradient[i] == pytest.approx((higher - lower) / 2e-6, rel=1e-5)


def test_a_variable_that_does_not_matter_gets_a_long_length() -> None:
    variables = tuple(Variable(f"v{i}", (0, 1, 2), ordinal=False) for i in range(3))
    rng = np.random.default_rng(0)
    places = rng.integers(3, size=(60, 3))
    scores = np.array([0.0, 1.0, 0.3])[places[:, 0]] + np.array([0.5, 0.0, 0.2])[places[:, 1]]
    inverse_lengths = GaussianProcess(variables, places, scores).hyperparameters.inverse_lengths
    assert inverse_lengths[2] < 0.2 * inverse_lengths[:2].min()


def test_expected_improvement_is_the_mean_of_what_is_gained() -> None:
    draws = np.random.default_rng(0).normal(0.4, 0.3, 1_000_000)
    gained = expected_improvement(np.array([0.4]), np.array([0.3]), 0.5)[0]
    assert gained == pytest.approx(np.maximum(draws - 0.5, 0).mean(), rel=0.01)
    z = (0.4 - 0.5) / 0.3
    assert gained == pytest.approx((0.4 - 0.5) * norm.cdf(z) + 0.3 * norm.pdf(z))


@pytest.mark.parametrize(
    ("variable", "bandwidth", "expected"),
    [
        (KIND, 0.0, [1, 0, 0, 0]),
        (KIND, 0.3, [0.7, 0.1, 0.1, 0.1]),
        (KIND, 1.0, [0.25, 0.25, 0.25, 0.25]),
        (KERNEL, 0.5, [4 / 7, 2 / 7, 1 / 7]),
        (Variable("only", (4,)), 0.3, [1]),
    ],
)
def test_smoothing_kernels(variable: Variable, bandwidth: float, expected: list[float]) -> None:
    assert smoothing(variable, bandwidth)[0].tolist() == pytest.approx(expected)


def test_the_density_of_each_variable_counts_where_it_is_active() -> None:
    density = IndependentParzen(VARIABLES, GENOTYPES, prior_weight=1.0, bandwidth=0.0)
    assert density.probabilities[0].tolist() == pytest.approx([4 / 9, 5 / 9])
    assert density.probabilities[1].tolist() == pytest.approx([3 / 10, 3 / 10, 4 / 10])
    assert density.probabilities[2].tolist() == pytest.approx([2 / 8, 2 / 8, 2 / 8, 2 / 8])
    places = places_of(VARIABLES, [(1, 3, 0), (2, 7, 1)])
    assert density.log_density(places) == pytest.approx(np.log([4 / 9 * 0.3, 5 / 9 * 0.4 * 0.25]))


def test_the_joint_density_is_the_mean_of_its_kernels() -> None:
    density = JointParzen(VARIABLES, [(1, 3, 0), (2, 7, 1)], [0.2, 0.5, 0.3])
    expected = 0.5 * (0.8 * 4 / 7 * 1.0 + 0.2 * 1 / 7 * 1 / 4)
    assert density.log_density(places_of(VARIABLES, [(1, 3, 0)]))[0] == pytest.approx(np.log(expected))


@pytest.mark.parametrize("kind", ["independent", "joint"])
def test_draws_follow_the_density(kind: str) -> None:
    density = (
        IndependentParzen(VARIABLES, GENOTYPES, 1.0, 0.3)
        if kind == "independent"
        else JointParzen(VARIABLES, GENOTYPES, [0.2, 0.5, 0.3])
    )
    # The joint density is exact where networks have the same variables, and close where not.
    tolerance = 0.012 if kind == "independent" else 0.04
    rng = np.random.default_rng(0)
    drawn = [density.sample(rng) for _ in range(20_000)]
    for genotype in set(GENOTYPES):
        expected = np.exp(density.log_density(places_of(VARIABLES, [genotype]))[0])
        assert drawn.count(genotype) / len(drawn) == pytest.approx(expected, abs=tolerance)


def test_gradients_of_the_ensemble() -> None:
    rng = np.random.default_rng(0)
    parameters = [rng.standard_normal(shape) for shape in ((2, 4, 3), (2, 1, 3), (2, 3, 1), (2, 1, 1))]
    features, targets = rng.standard_normal((6, 4)), rng.standard_normal((1, 6, 1))
    _, gradients = loss_gradients(parameters, features, targets, 0.1)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        for index in np.ndindex(parameter.shape):
            saved = parameter[index]
            losses = []
            for step in (1e-6, -1e-6):
                parameter[index] = saved + step
                losses.append(loss_gradients(parameters, features, targets, 0.1)[0])
            parameter[index] = saved
            assert gradient[index] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4, abs=1e-7)


def test_the_ensemble_learns_and_doubts_what_it_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    features = rng.integers(2, size=(80, 10)).astype(float)
    scores = 70 + 3 * features[:, 0] - 2 * features[:, 1] + features[:, 2] * features[:, 3]
    ensemble = MlpEnsemble(features[:60], scores[:60], np.random.default_rng(1))
    mean, deviation = ensemble.predict(features[60:])
    assert np.corrcoef(mean, scores[60:])[0, 1] > 0.97
    assert abs(mean.mean() - scores.mean()) < 1
    assert deviation.mean() > 2 * ensemble.predict(features[:60])[1].mean()
