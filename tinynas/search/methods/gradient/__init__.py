"""Architecture parameters trained with the weights: what of a network depends on choices, and what they lead to."""

from tinynas.search.methods.gradient._distribution import LearnedDistribution
from tinynas.search.methods.gradient._method import GradientMethod
from tinynas.search.methods.gradient._options import GradientOptions

__all__ = ["GradientMethod", "GradientOptions", "LearnedDistribution"]
