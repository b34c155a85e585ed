"""The report of a run: sections, figures and the page that holds them; `inspect` and `space` draw with it, too."""

from tinynas.pipeline.report._figures import flops_distributions
from tinynas.pipeline.report._memory_view import arena_timeline, memory_advice
from tinynas.pipeline.report._report import ReportError, render_report, write_report

__all__ = [
    "ReportError",
    "arena_timeline",
    "flops_distributions",
    "memory_advice",
    "render_report",
    "write_report",
]
