"""Models of scores that strategies learn from what they were told: NumPy and SciPy only."""

from tinynas.search.surrogates._gaussian_process import GaussianProcess, expected_improvement
from tinynas.search.surrogates._parzen import IndependentParzen, JointParzen, bandwidths_of
from tinynas.search.surrogates._places import Places, places_of

__all__ = [
    "GaussianProcess",
    "IndependentParzen",
    "JointParzen",
    "Places",
    "bandwidths_of",
    "expected_improvement",
    "places_of",
]
