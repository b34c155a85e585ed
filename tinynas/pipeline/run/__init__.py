"""A run: its configuration, its result, and in `_run.py` the way from one to the other through the stages.

`run_pipeline` and `export_picked` are not listed here: they need all other packages of the pipeline, and some of them
need this one.
"""

from tinynas.pipeline.run._conditions import Condition, parse_conditions
from tinynas.pipeline.run._config import (
    DataConfig,
    FinetuneConfig,
    LimitsConfig,
    QuantizationConfig,
    RunConfig,
    SupernetConfig,
    load_config,
)
from tinynas.pipeline.run._config_checks import COUNTING, check_sections
from tinynas.pipeline.run._front import (
    Figures,
    Member,
    MemberError,
    PickError,
    build_name,
    figures_of_built,
    pick,
    read_front,
    would_be_built,
)
from tinynas.pipeline.run._latency_limit import latency_limit, quantity_of_run
from tinynas.pipeline.run._plan_file import configuration_digest, read_plan
from tinynas.pipeline.run._search_config import (
    ConfigError,
    SearchConfig,
    front_objectives,
    method_options,
    strategy_options,
    training_options,
)
from tinynas.pipeline.run._steps import Steps, candidate_training, least_steps, steps_of, with_steps
from tinynas.pipeline.run._winner import RESULT, RESULT_FORMAT, ResultFormatError, read_result, schedule_as_built

__all__ = [
    "COUNTING",
    "RESULT",
    "RESULT_FORMAT",
    "Condition",
    "ConfigError",
    "DataConfig",
    "Figures",
    "FinetuneConfig",
    "LimitsConfig",
    "Member",
    "MemberError",
    "PickError",
    "QuantizationConfig",
    "ResultFormatError",
    "RunConfig",
    "SearchConfig",
    "Steps",
    "SupernetConfig",
    "build_name",
    "candidate_training",
    "check_sections",
    "configuration_digest",
    "figures_of_built",
    "front_objectives",
    "latency_limit",
    "least_steps",
    "load_config",
    "method_options",
    "parse_conditions",
    "pick",
    "quantity_of_run",
    "read_front",
    "read_plan",
    "read_result",
    "schedule_as_built",
    "steps_of",
    "strategy_options",
    "training_options",
    "with_steps",
    "would_be_built",
]
