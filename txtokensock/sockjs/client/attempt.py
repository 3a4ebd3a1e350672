"""
One attempt to open a session, in steps with deadlines.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IProtocol, IProtocolFactory

from ...errors import ConnectFailed, ConnectionFailed, HandshakeRefused, Phase
from ...support.timeouts import within_phase
from ...web.tls.policy import explain, tls_failure
from ..transport_names import Transport
from .info import InfoRequest
from .session import ClientSession
from .session_target import SessionTarget
from .transports import TRANSPORTS

__all__ = ["Attempt"]

T = TypeVar("T")


class Attempt:
    """
    Opens sessions on one server; the error of a step that fails names its phase.

    :param target: the server, and how long each step may take.
    """

    def __init__(self, target: SessionTarget) -> None:
        self._target = target

    async def offers_websockets(self) -> bool:
        """
        Request the server's ``/info``.

        :return: what it says about WebSockets.
        :raises ConnectionFailed: if the answer cannot be read.
        """
        request = InfoRequest(self._target)
        try:
            await self._within("connect", request.connected)
            return await self._within("handshake", request.answered)
        finally:
            request.drop()

    async def open(self, transport: Transport, factory: IProtocolFactory) -> IProtocol:
        """
        Open a session.

        :param transport: one of :data:`~.transports.TRANSPORTS`.
        :return: the factory's protocol, connected.
        :raises ConnectionFailed: if no session was opened; then, and where this is cancelled,
            the connection is dropped.
        """
        reactor, timeouts = self._target.http_context.reactor, self._target.timeouts
        session = ClientSession(factory, reactor, timeouts.close, transport)
        try:
            connected = TRANSPORTS[transport](session, self._target)
            await self._within("connect", connected)
            await self._within("handshake", session.ready)
            return await self._within("open", session.opened)
        except BaseException:  # cancelled, too
            session.abort()
            raise

    async def _within(self, phase: Phase, step: Deferred[T]) -> T:
        reactor = self._target.http_context.reactor
        try:
            return await within_phase(step, phase, self._target.timeouts, reactor)
        except (ConnectionFailed, CancelledError):
            raise
        except ConnectingCancelledError:  # what Twisted's own endpoints say instead
            raise CancelledError from None
        except Exception as problem:
            raise self._failed(phase, problem) from problem

    def _failed(self, phase: Phase, problem: Exception) -> ConnectionFailed:
        authority = self._target.address.authority
        if phase != "connect":
            text = f"{authority} did not answer: {explain(problem)}"
            return tls_failure(problem, phase) or HandshakeRefused(text, phase)
        text = f"cannot connect to {authority}"
        failure = tls_failure(problem, phase, text)
        return failure or ConnectFailed(f"{text}: {explain(problem)}", phase)
