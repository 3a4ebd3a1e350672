"""
Several servers, of which one is wanted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import AllHostsFailed

__all__ = ["FailoverEndpoint"]


@implementer(IStreamClientEndpoint)
class FailoverEndpoint:
    """
    Connects to the first of several servers that can be connected to.

    Each attempt begins with the server after the one that was tried last: the connection
    to that one failed, or was made, and lost since.

    :param endpoints: the servers by name, in order.
    :ivar names: of the servers, in order.
    :ivar current: the name of the server that was connected to last; None before.
    """

    _log = Logger()

    def __init__(self, endpoints: Mapping[str, IStreamClientEndpoint]) -> None:
        self._endpoints = dict(endpoints)
        self.names = list(self._endpoints)
        self.start_over()

    def __repr__(self) -> str:
        return f"<FailoverEndpoint {', '.join(self.names)}>"

    def start_over(self) -> None:
        """Begin the next attempt with the first server."""
        self._order = deque(self._endpoints.items())
        self.current: str | None = None

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Try each server once, one after the other.

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
        errors: dict[str, Exception] = {}
        for _ in self._endpoints:
            name, endpoint = self._order[0]
            self._order.rotate(-1)
            try:
                protocol = await endpoint.connect(factory)
            except Exception as error:
                if len(self._endpoints) == 1 or not wanted():
                    raise
                errors[name] = error
                self._log.info("cannot connect to {host}: {error}", host=name, error=error)
            else:
                self.current = name
                return protocol
        try:
            raise AllHostsFailed(errors)
        finally:
            del errors  # their tracebacks hold this frame: they would keep each other alive
