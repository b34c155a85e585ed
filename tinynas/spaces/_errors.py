"""What can be wrong with a search space."""

from __future__ import annotations

from tinynas.errors import UsageError


class SpaceError(UsageError):
    """A search space, a block or a genotype that makes no sense: the message names the part and the remedy."""
