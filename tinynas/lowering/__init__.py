"""Lowering: from a graph to the schedule of kernel calls that our engine executes."""

from tinynas.lowering._schedule import Buffer, Schedule, Step

__all__ = ["Buffer", "Schedule", "Step"]
