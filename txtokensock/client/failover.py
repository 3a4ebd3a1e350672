"""
Several servers, of which one is wanted.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import AllHostsFailed
from ..support.user_functions import call_plain_function

__all__ = ["FailoverEndpoint"]


_LONGEST_HOLD = 3600.0
"""
Seconds.  A server that cannot be used may be mended while others keep the client going.
"""


@dataclass(slots=True, eq=False)
class _Host:
    """
    One server, and what became of the last attempt at it.

    :ivar failed: how many attempts in a row have failed.
    :ivar error: of the last attempt, where the server is held.
    :ivar not_before: it is held, which is passed over, until then; 0 where it is not.
    :ivar unusable: whether nothing but a change at the server, or here, can help.
    """

    name: str
    endpoint: IStreamClientEndpoint
    failed: int = 0
    error: Exception | None = None
    not_before: float = 0.0
    unusable: bool = False


@implementer(IStreamClientEndpoint)
class FailoverEndpoint:
    """
    Connects to the first of several servers that can be connected to.

    Each attempt begins with the server after the one that was tried last: the connection
    to that one failed, or was made, and lost since.  A server that asked for time, refused,
    or cannot be used is passed over until its time has come, unless that holds for all:
    then the one whose time comes first is tried.

    :param clock: the time.
    :param endpoints: the servers by name, in order.
    :param hold: seconds for which a server is passed over, see :meth:`Backoff.hold
        <txtokensock.Backoff.hold>`; None passes over none.
    :ivar names: of the servers, in order.
    :ivar current: the name of the server that was connected to last; None before.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        endpoints: Mapping[str, IStreamClientEndpoint],
        *,
        hold: Callable[[Exception, int], float] | None = None,
    ) -> None:
        self._clock = clock
        self._endpoints = dict(endpoints)
        self._hold = hold
        self.names = list(self._endpoints)
        self.start_over()

    def __repr__(self) -> str:
        return f"<FailoverEndpoint {', '.join(self.names)}>"

    def start_over(self) -> None:
        """Begin the next attempt with the first server, and pass over none."""
        self._order = deque(_Host(*each) for each in self._endpoints.items())
        self.current: str | None = None

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Try each server that is not passed over once, one after the other.

        :return: fires with the protocol as soon as there is a connection.  Fails with
            :class:`~txtokensock.errors.AllHostsFailed` when all have failed, and where
            there is only one, with its error.  Cancelling it cancels the one that is being
            tried, and tries no other.
        """
        cancelled = False

        def cancel(_: object) -> None:
            nonlocal cancelled
            cancelled = True
            trying.cancel()

        connected: Deferred[IProtocol] = Deferred(cancel)
        trying = Deferred.fromCoroutine(self._try_all(protocolFactory, lambda: not cancelled))
        trying.chainDeferred(connected)
        return connected

    async def _try_all(self, factory: IProtocolFactory, wanted: Callable[[], bool]) -> IProtocol:
        """:param wanted: endpoints need not say of what failed that it was cancelled."""
        due = self._due()
        passed_over = [host for host in self._order if host not in due]
        errors = {host.name: host.error for host in passed_over if host.error is not None}
        for host in due:
            self._order.rotate(-1 - self._order.index(host))
            try:
                protocol = await host.endpoint.connect(factory)
            except Exception as error:
                if len(self._endpoints) == 1 or not wanted():
                    raise
                errors[host.name] = error
                self._failed(host, error)
            else:
                host.failed, host.error = 0, None
                host.not_before, host.unusable = 0.0, False
                self.current = host.name
                return protocol
        try:
            raise AllHostsFailed(errors, self._holds())
        finally:
            del errors  # their tracebacks hold this frame: they would keep each other alive

    def _due(self) -> list[_Host]:
        """The servers to try now, at least one."""
        now = self._clock.seconds()
        due = [host for host in self._order if host.not_before <= now]
        return due or [min(self._order, key=lambda host: host.not_before)]

    def _failed(self, host: _Host, error: Exception) -> None:
        self._log.info(
            "cannot connect to {host}: {error}",
            event="client.host_failed",
            host=host.name,
            error=error,
        )
        host.failed += 1
        hold = self._ask(error, host.failed)
        host.unusable = hold == math.inf
        host.not_before = self._clock.seconds() + min(hold, _LONGEST_HOLD) if hold else 0.0
        host.error = error if hold else None

    def _ask(self, error: Exception, failed: int) -> float:
        if self._hold is None:
            return 0.0
        try:
            return call_plain_function(self._hold, error, failed)
        except Exception:
            self._log.failure(
                "the back-off failed; the host is not passed over", event="client.backoff_failed"
            )
            return 0.0

    def _holds(self) -> dict[str, float]:
        now = self._clock.seconds()
        held = [host for host in self._order if host.not_before]
        return {
            host.name: math.inf if host.unusable else max(0.0, host.not_before - now)
            for host in held
        }
