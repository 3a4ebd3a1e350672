"""
``[log]``: what is written to the log of the process.
"""

from __future__ import annotations

from typing import Literal

from twisted.logger import LogLevel, LogLevelFilterPredicate

from .section import Section

__all__ = ["LEVEL", "LogConfig"]

LEVEL = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
"""Which events are written; there is one, for a process has one log."""


class LogConfig(Section, frozen=True):
    """
    ``[log]``.

    :ivar level: the least important events that are written: ``debug``, ``info``, ``warn``,
        ``error`` or ``critical``.
    """

    level: Literal["debug", "info", "warn", "error", "critical"] = "info"

    def apply(self) -> None:
        """Write events of this level and above from now on."""
        LEVEL.setLogLevelForNamespace("", LogLevel.levelWithName(self.level))
