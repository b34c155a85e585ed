"""A run, from its configuration to its result."""

__all__: list[str] = []
