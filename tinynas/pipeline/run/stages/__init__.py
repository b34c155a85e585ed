"""The stages of a run, in order: each reads and writes the run directory only."""

from tinynas.pipeline.run.stages._context import RunContext
from tinynas.pipeline.run.stages._execute import execute
from tinynas.pipeline.run.stages._member import MemberNetwork, build_member, predict_member
from tinynas.pipeline.run.stages._prepare import load_data, prepare

__all__ = ["MemberNetwork", "RunContext", "build_member", "execute", "load_data", "predict_member", "prepare"]
