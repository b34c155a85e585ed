"""Zero-cost proxies: one file each, with its paper and equation; `_evaluator.py` makes evaluators of them.

A proxy is a function from a float32 graph, batches of images and a seed to a score. A module is imported when its
proxy is asked for.
"""

from tinynas.evaluation.evaluators.zero_cost._evaluator import PROXIES, ZeroCostEvaluator, ZeroCostOptions

__all__ = ["PROXIES", "ZeroCostEvaluator", "ZeroCostOptions"]
