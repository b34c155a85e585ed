"""A run: its configuration, its result, and in `_run.py` the way from one to the other through the stages.

`run_pipeline` is not listed here: it needs all other packages of the pipeline, and some of them need this one.
"""

from tinynas.pipeline.run._config import (
    ConfigError,
    DataConfig,
    LimitsConfig,
    RunConfig,
    SearchConfig,
    evaluator_options,
    load_config,
    strategy_options,
)
from tinynas.pipeline.run._latency_limit import latency_limit
from tinynas.pipeline.run._winner import RESULT, RESULT_FORMAT, ResultFormatError, read_result, schedule_of_winner

__all__ = [
    "RESULT",
    "RESULT_FORMAT",
    "ConfigError",
    "DataConfig",
    "LimitsConfig",
    "ResultFormatError",
    "RunConfig",
    "SearchConfig",
    "evaluator_options",
    "latency_limit",
    "load_config",
    "read_result",
    "schedule_of_winner",
    "strategy_options",
]
