"""
One attempt to open a session: its steps, each with a deadline, and a failure that names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IProtocol, IProtocolFactory

from ...errors import ConnectFailed, ConnectionFailed, HandshakeRefused, Phase
from ...support.phases import within_phase
from ...web.tls.policy import explain, tls_failure
from .info import InfoRequest
from .session import ClientSession
from .session_target import SessionTarget
from .transports import TRANSPORTS

__all__ = ["Attempt", "Deadlines"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """
    How long each step may take, in seconds.

    :ivar connect: TCP, TLS and proxies.
    :ivar handshake: the answer to the WebSocket handshake, or to an HTTP request.
    :ivar open: the server's ``o`` frame after that.
    :ivar close: an orderly close of the session, once it is open.
    """

    connect: float
    handshake: float
    open: float
    close: float


class Attempt:
    """
    :param to: the server.
    :param deadlines: of each step.
    """

    def __init__(self, to: SessionTarget, deadlines: Deadlines) -> None:
        self._to = to
        self._deadlines = deadlines

    async def offers_websockets(self) -> bool:
        """
        Ask the server's ``/info``.

        :raises ConnectionFailed: if it gives no answer that can be read.
        """
        request = InfoRequest(self._to)
        try:
            await self._within("connect", self._deadlines.connect, request.connected)
            return await self._within("handshake", self._deadlines.handshake, request.answered)
        finally:
            request.drop()

    async def open(self, transport: str, factory: IProtocolFactory) -> IProtocol:
        """
        Open a session.

        :param transport: one of :data:`~.transports.TRANSPORTS`.
        :return: the factory's protocol, on its session.
        :raises ConnectionFailed: if it came to nothing; whatever was open is dropped, as
            where this is cancelled.
        """
        reactor, deadlines = self._to.http_context.reactor, self._deadlines
        session = ClientSession(factory, reactor, deadlines.close, transport)
        try:
            connected = TRANSPORTS[transport](session, self._to)
            await self._within("connect", deadlines.connect, connected)
            await self._within("handshake", deadlines.handshake, session.ready)
            return await self._within("open", deadlines.open, session.opened)
        except BaseException:  # cancelled, too
            session.abort()
            raise

    async def _within(self, phase: Phase, seconds: float, step: Deferred[T]) -> T:
        try:
            return await within_phase(step, phase, seconds, self._to.http_context.reactor)
        except (ConnectionFailed, CancelledError):
            raise
        except ConnectingCancelledError:  # what Twisted's own endpoints say instead
            raise CancelledError from None
        except Exception as problem:
            raise self._failed(phase, problem) from problem

    def _failed(self, phase: Phase, problem: Exception) -> ConnectionFailed:
        authority = self._to.address.authority
        if phase != "connect":
            text = f"{authority} did not answer: {explain(problem)}"
            return tls_failure(problem, phase) or HandshakeRefused(text, phase)
        text = f"cannot connect to {authority}"
        failure = tls_failure(problem, phase, text)
        return failure or ConnectFailed(f"{text}: {explain(problem)}", phase)
