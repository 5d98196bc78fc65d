"""The run report: one page about a training, to look at."""

from .run_report import RunReportHook

__all__ = ['RunReportHook']
