"""
``[log]``: what is written to the log of the process.
"""

from __future__ import annotations

from typing import Literal

from twisted.logger import LogLevel, LogLevelFilterPredicate

from .section import Section

__all__ = ["LEVEL", "LogConfig", "in_force"]

LEVEL = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
"""Which events are written; there is one, for a process has one log."""


class LogConfig(Section, frozen=True):
    """
    ``[log]``.

    :ivar level: the least important events that are written: ``debug``, ``info``, ``warn``,
        ``error`` or ``critical``.
    :ivar format: ``text`` for people, or ``json``: one object a line, for machines.
    """

    level: Literal["debug", "info", "warn", "error", "critical"] = "info"
    format: Literal["text", "json"] = "text"

    def apply(self) -> None:
        """Write events of this level and above from now on, in this format."""
        global _in_force
        _in_force = self
        LEVEL.setLogLevelForNamespace("", LogLevel.levelWithName(self.level))


_in_force = LogConfig()


def in_force() -> LogConfig:
    """The configuration that was applied last: a process has one log."""
    return _in_force
