"""Await your existing smtplib code."""

from .defaults import configure
from .executor import BoundedExecutor, default_executor, to_thread
from .slots import ExecutorFull
from .stats import ExecutorStats

__all__ = ["BoundedExecutor", "ExecutorFull", "ExecutorStats", "configure", "default_executor", "to_thread"]
