"""
Lines in the log about peers and requests that the server turns away.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from ..support.once_a_minute import OnceAMinute
from .limits import Limits

__all__ = ["RefusalLog"]


class RefusalLog:
    """
    Says in the log which option would have allowed what was refused: each once a minute, with
    how much there was of it.

    :param seconds: the clock.
    """

    _log = Logger()

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._lines = OnceAMinute(seconds)

    def exceeded(self, limit: str, limits: Limits, what: str) -> None:
        """
        :param limit: the name of the limit that was exceeded.
        :param limits: of whom it was.
        :param what: was turned away, in the plural.
        """
        if count := self._lines.count(f"{limit} {what}"):
            self._log.warn(
                "turned {count} {what} away: the limit {limit} is {value:.10g};"
                " Limits({limit}=...), or serve --limit {limit}=..., allows more",
                count=count,
                what=what,
                limit=limit,
                value=getattr(limits, limit),
                event="server.refused",
            )

    def not_running(self) -> None:
        """A request came while the service did not run."""
        if count := self._lines.count("not running"):
            self._log.warn(
                "answered {count} requests 503: the TokenSocketServer was not started, or was"
                " stopped; call its startService(), or setServiceParent() of what starts it",
                count=count,
                event="server.not_running",
            )
