"""
SOCKS5: a connection through a SOCKS proxy, by txtorcon, which is optional.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ...errors import InvalidOption, ProxyRefused, shorten
from .tunnel import open_tunnel

__all__ = ["SocksEndpoint", "check_socks"]

_NO_SOCKS = "it asks for a password, or does not speak SOCKS5"


def check_socks(source: str, host: str, *, with_user: bool) -> None:
    """
    Whether a SOCKS proxy can be used.

    :param source: what names the proxy, for errors.
    :param host: where it is to connect us.
    :param with_user: whether it wants to know who we are.
    :raises InvalidOption: without txtorcon, and for what txtorcon 26.6 cannot do.
    """
    try:
        import txtorcon.socks  # noqa: F401
    except ImportError:
        raise InvalidOption(
            f"{source} is a SOCKS proxy, which needs txtorcon: install txtokensock[socks]"
        ) from None
    if with_user:
        raise InvalidOption(
            f"{source} has a user for a SOCKS proxy, and txtorcon cannot send one:"
            " use a proxy that asks for none, or an HTTP proxy"
        )
    if ":" in host:
        raise InvalidOption(
            f"{source} is a SOCKS proxy, and txtorcon cannot ask it for an IPv6 address:"
            " use the name of the server, or an HTTP proxy"
        )


@implementer(IStreamClientEndpoint)
class SocksEndpoint:
    """
    Connects through a SOCKS5 proxy that asks for no password.

    :param proxy_endpoint: connects to the proxy.
    :param host: where the proxy is to connect us: a name, which the proxy resolves, or an
        IPv4 address.
    :param port: the same.
    :param proxy_name: the proxy in error texts.
    """

    def __init__(
        self, proxy_endpoint: IStreamClientEndpoint, host: str, port: int, *, proxy_name: str
    ) -> None:
        self._proxy_endpoint = proxy_endpoint
        self._host = host
        self._port = port
        self._proxy_name = proxy_name

    def __repr__(self) -> str:
        return f"<SocksEndpoint to {self._host}:{self._port} through {self._proxy_name}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.

        :return: fires and fails as that of :class:`~.connect.ConnectEndpoint` does.
        """
        return Deferred.fromCoroutine(
            open_tunnel(self._proxy_endpoint, self._negotiation, protocolFactory, self._proxy_name)
        )

    def _negotiation(self) -> _Socks:
        return _Socks(self._host, self._port, self._proxy_name)


class _Socks:
    """
    txtorcon's part of the conversation.  It has the handshake and no more: on a connection
    of its own it would stay open when cancelled, raise for answers that it does not know,
    and take the reason of the connection's end from the protocol.
    """

    def __init__(self, host: str, port: int, proxy_name: str) -> None:
        self._host = host
        self._port = port
        self._proxy_name = proxy_name
        self._outcome: Any = None

    def start(self, write: Callable[[bytes], object]) -> None:
        from txtorcon.socks import TorSocksEndpoint

        self._line = _Line(write)
        done = TorSocksEndpoint(self._line, self._host, self._port).connect(
            Factory.forProtocol(Protocol)
        )
        done.addBoth(self._done)

    def _done(self, outcome: Any) -> None:
        self._outcome = outcome

    def received(self, data: bytes) -> bytes | None:
        # Byte by byte, for txtorcon would keep what is behind the answer.
        for end in range(1, len(data) + 1):
            self._feed(data[end - 1 : end])
            if self._outcome is not None:
                return data[end:]
        return None

    def _feed(self, byte: bytes) -> None:
        try:
            self._line.protocol.dataReceived(byte)
        except Exception:  # such as an assertion
            self._outcome = Failure()
        if isinstance(self._outcome, Failure):
            # Only what the proxy answered by its code has one.
            code = getattr(self._outcome.value, "code", None)
            reason = str(self._outcome.value) if code else _NO_SOCKS
            raise ProxyRefused(
                f"the proxy {self._proxy_name} refused to connect us to"
                f" {self._host}:{self._port}: {shorten(reason)}"
            )


@implementer(IStreamClientEndpoint)
class _Line:
    """
    What txtorcon connects to: an endpoint, and the transport that its protocol gets.

    :ivar protocol: txtorcon's.
    """

    protocol: Any

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.write = write

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        self.protocol = protocolFactory.buildProtocol(self.getHost())
        self.protocol.makeConnection(self)
        return succeed(self.protocol)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "0.0.0.0", 0)  # nobody asks

    def loseConnection(self) -> None:
        """Who failed is dropped anyway."""
