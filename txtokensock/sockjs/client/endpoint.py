"""
A Twisted client endpoint whose stream is a SockJS session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.logger import Logger
from zope.interface import implementer

from ...address import Address
from ...errors import (
    AllTransportsFailed,
    ConnectFailed,
    ConnectionFailed,
    HandshakeRefused,
    InvalidOption,
    SockJSRefused,
    TLSFailed,
)
from ...support.checks import check_flag, check_instance
from ...support.deprecation import deprecate
from ...support.providers import AnyClientEndpoint, AnyFactory, AnyTLSPolicy
from ...support.timeouts import Timeouts, within_phase
from ...web.client.http_context import HTTPContext
from ...web.client.proxies import ProxyOption
from ...web.client.request_headers import HeadersOption
from ..transport_names import Transport
from .attempt import Attempt
from .session_target import SessionTarget
from .transports import (
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_TRANSPORTS,
    Preference,
    check_transports,
)

__all__ = ["SockJSClientEndpoint"]

_OLD_TIMEOUTS = {
    f"{phase}_timeout": deprecate(
        f"SockJSClientEndpoint({phase}_timeout=)", f"timeouts=Timeouts({phase}=)", ends="0.3.0"
    )
    for phase in ("connect", "handshake", "open", "send", "close")
}


@implementer(IStreamClientEndpoint)
class SockJSClientEndpoint:
    """
    Connects any Twisted protocol to a SockJS server.

    The protocol's transport is an
    :class:`~txtokensock.sockjs.interfaces.ISockJSTransport`.

    :param reactor: provides :class:`IReactorTCP`, :class:`IReactorTime` and, for a
        name, a resolver.
    :param url: the SockJS prefix: ``http``, ``https``, ``ws`` or ``wss``, host, port and
        path, as in ``"https://example.com/sockets"``.
    :param headers: sent with every HTTP request of the session: a mapping, or a function
        that gives one (or a Deferred or coroutine of one), called before every attempt.
    :param transports: those to try, in this order: ``"websocket"``, ``"xhr-streaming"``,
        ``"eventsource"``, ``"xhr-polling"``, and ``"websocket-raw"``, which has no SockJS
        frames.  The one that worked last goes first for ten minutes.
    :param info: whether to request the server's ``/info`` first, and to try no WebSocket if
        that says ``"websocket": false``.  If it cannot be read, the attempt fails.
    :param tls: a :class:`~txtokensock.TLSPolicy`; by default the platform's authorities and the
        host's name.
    :param proxy: the URL of a proxy for all connections; True for that of the environment,
        False for none.
    :param endpoint: connects instead of TCP to the URL's host (and TLS where the URL
        says so); the URL still names the host to the server.  An endpoint, or the text of
        one such as ``"unix:/run/app.sock"``.
    :param http_context: shared with other requests, in place of ``headers``, ``tls``,
        ``proxy`` and ``endpoint``.
    :param timeouts: the deadlines of connecting, sending and closing; those of ``token``
        and ``auth`` do not belong to SockJS.
    :param max_message_size: bytes of one WebSocket message, or of one frame over HTTP; a
        larger one ends the session.
    :raises InvalidOption: for an option that is not valid.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        url: str,
        *,
        headers: HeadersOption | None = None,
        transports: Sequence[Transport] = DEFAULT_TRANSPORTS,
        info: bool = False,
        tls: AnyTLSPolicy | None = None,
        proxy: ProxyOption = True,
        endpoint: AnyClientEndpoint | str | None = None,
        http_context: HTTPContext | None = None,
        timeouts: Timeouts | None = None,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        **old_timeouts: float,
    ) -> None:
        self._reactor = reactor
        self._transports = check_transports(transports)
        self._info = check_flag("info", info)
        self._preference = Preference(reactor)
        self._address = Address.parse(url)
        self._http_context = http_context or HTTPContext(
            reactor, headers=headers, tls=tls, proxy=proxy, endpoint=endpoint
        )
        address = self._address  # a mistake in the environment is reported now
        self._http_context.dialer.proxy(address.host, address.port, secure=address.secure)
        self._timeouts = check_instance("timeouts", timeouts or Timeouts(), Timeouts)
        if old_timeouts:
            self._timeouts = _with_old_names(self._timeouts, old_timeouts)
        self._max_message_size = max_message_size

    def __repr__(self) -> str:
        return f"<SockJSClientEndpoint {self._address}>"

    def connect(self, protocolFactory: AnyFactory) -> Deferred[Any]:
        """
        Open a session.

        :return: fires with the factory's protocol when the server has opened the
            session.  Fails with a :class:`~txtokensock.errors.ConnectionFailed` whose
            ``phase`` is ``connect``, ``handshake`` or ``open``, at the latest when that
            phase's deadline is over; where several transports were tried, each has its
            deadlines, and it is an :class:`~txtokensock.errors.AllTransportsFailed`.
            Cancelling it, and every failure, drops the connection.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    def connect_with(
        self, factory: IProtocolFactory, headers: Mapping[str, str]
    ) -> Deferred[IProtocol]:
        """
        Open a session as :meth:`connect` does, with given headers.

        :param headers: instead of those of ``http_context``.
        """
        return Deferred.fromCoroutine(self._open(factory, headers))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        asked = Deferred.fromCoroutine(self._http_context.ask_headers())
        try:
            headers = await within_phase(asked, "connect", self._timeouts, self._reactor)
        except InvalidOption as problem:
            raise ConnectFailed(str(problem), "connect") from problem
        return await self._open(factory, headers)

    async def _open(self, factory: IProtocolFactory, headers: Mapping[str, str]) -> IProtocol:
        target = SessionTarget(
            self._http_context, self._address, headers, self._max_message_size, self._timeouts
        )
        attempt = Attempt(target)
        failures: dict[str, ConnectionFailed] = {}
        for transport in self._preference.order(await self._offered(attempt)):
            try:
                protocol = await attempt.open(transport, factory)
            except ConnectionFailed as problem:
                if not _may_be_the_transport(problem):
                    raise
                failures[transport] = problem
                self._log.info(
                    "no session over {transport}: {problem}",
                    event="sockjs.no_session",
                    transport=transport,
                    problem=problem,
                )
            else:
                self._preference.worked(transport)
                return protocol
        if len(failures) == 1:
            raise failures.popitem()[1]
        raise AllTransportsFailed(failures, str(self._address))

    async def _offered(self, attempt: Attempt) -> list[Transport]:
        """The transports that may be tried."""
        if not self._info or await attempt.offers_websockets():
            return list(self._transports)
        offered = [name for name in self._transports if "websocket" not in name]
        if not offered:
            raise HandshakeRefused(
                "the server offers no WebSockets, and transports lists nothing else"
            )
        return offered


def _may_be_the_transport(problem: ConnectionFailed) -> bool:
    """
    Whether another transport may succeed: not if there was no connection, if TLS failed, or
    if the SockJS server refused the session.
    """
    if problem.phase == "connect" or isinstance(problem, TLSFailed):
        return False
    return not (isinstance(problem, SockJSRefused) and problem.code is not None)


def _with_old_names(timeouts: Timeouts, given: Mapping[str, float]) -> Timeouts:
    """:raises TypeError: for an argument that never was one, as Python does."""
    for name in given:
        if name not in _OLD_TIMEOUTS:
            raise TypeError(f"SockJSClientEndpoint() got an unexpected keyword argument {name!r}")
        _OLD_TIMEOUTS[name].warn()
    return replace(
        timeouts, **{name.removesuffix("_timeout"): seconds for name, seconds in given.items()}
    )
