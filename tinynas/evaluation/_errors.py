"""Errors of evaluators."""

from __future__ import annotations

from tinynas.errors import UsageError


class EvaluatorError(UsageError):
    """An evaluator that does not exist, an option that it does not have, or a question that it cannot answer."""
