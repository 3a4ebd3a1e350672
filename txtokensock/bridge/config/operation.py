"""
``[operation]``: how the process behaves.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...config.numbers import seconds
from ...config.section import Problem, Section

__all__ = ["OperationConfig", "problems"]


class OperationConfig(Section, frozen=True):
    """
    :ivar stop_timeout: seconds that everything in flight has to finish when the bridge
        stops; then the upstream connection is closed.
    """

    stop_timeout: float = 10.0


def problems(section: OperationConfig, path: str) -> Iterator[Problem]:
    """What is wrong with ``[operation]``."""
    yield from seconds(section, path, "stop_timeout")
