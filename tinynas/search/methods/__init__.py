"""One file or folder a search method; each is known by its name as soon as this package is imported."""

from tinynas.plugins import OWN
from tinynas.search._method_registry import MethodSpec, register_method
from tinynas.search.methods._sampled import SampledMethod, SampledOptions

_METHODS = (
    MethodSpec("sampled", "a strategy asks for networks, an evaluator scores them", SampledMethod, SampledOptions),
)

for _method in _METHODS:
    register_method(_method, OWN)

__all__ = ["SampledMethod", "SampledOptions"]
