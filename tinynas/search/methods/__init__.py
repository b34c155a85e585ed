"""One file or folder a search method; each is known by its name as soon as this package is imported."""

from tinynas.plugins import OWN
from tinynas.search._method_registry import MethodSpec, register_method
from tinynas.search.methods._sampled import SampledMethod, SampledOptions
from tinynas.search.methods.gradient import GradientMethod, GradientOptions

_METHODS = (
    MethodSpec("sampled", "a strategy asks for networks, an evaluator scores them", SampledMethod, SampledOptions),
    MethodSpec(
        "gradient",
        "probabilities of the choices, trained with the weights (FBNet, DARTS)",
        GradientMethod,
        GradientOptions,
    ),
)

for _method in _METHODS:
    register_method(_method, OWN)

__all__ = ["GradientMethod", "GradientOptions", "SampledMethod", "SampledOptions"]
