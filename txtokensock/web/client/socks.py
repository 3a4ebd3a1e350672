"""
SOCKS5: a connection through a SOCKS proxy, see RFC 1928, and RFC 1929 for user and password.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from ipaddress import ip_address

from twisted.internet.interfaces import IStreamClientEndpoint

from ...errors import ProxyRefused
from .tunnel import TunnelEndpoint

__all__ = ["SocksEndpoint"]

_VERSION = 5
_LOGIN_VERSION = 1  # RFC 1929
_CONNECT = 1

_NO_AUTHENTICATION = 0
_USER_AND_PASSWORD = 2
_NO_ACCEPTABLE_METHOD = 0xFF

_IPV4 = 1
_NAME = 3
_IPV6 = 4

_REPLIES = {
    1: "general SOCKS server failure",
    2: "connection not allowed by ruleset",
    3: "Network unreachable",
    4: "Host unreachable",
    5: "Connection refused",
    6: "TTL expired",
    7: "Command not supported",
    8: "Address type not supported",
}
"""In the words of RFC 1928, section 6."""


class SocksEndpoint(TunnelEndpoint):
    """
    Connects through a SOCKS5 proxy.

    :param credentials: user and password, each of at most 255 bytes
        in UTF-8.  They are sent only if the proxy asks for them.

    The other parameters are those of :class:`~.tunnel.TunnelEndpoint`.
    """

    def __init__(
        self,
        proxy_endpoint: IStreamClientEndpoint,
        host: str,
        port: int,
        *,
        proxy_name: str,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(proxy_endpoint, host, port, proxy_name=proxy_name)
        self._request = _connect_request(host, port)
        self._login = None if credentials is None else _login_request(*credentials)

    def negotiate(self) -> _Socks:
        refusal = f"the proxy {self.proxy_name} refused to connect us to {self.target}"
        return _Socks(self._request, self._login, refusal)


class _Socks:
    """
    The negotiation on one connection.

    It is a generator, so that it reads as the RFCs do: it yields how many bytes it needs
    next, and is sent just these.

    :param request: the message that asks for the connection.
    :param login: the message with user and password, or None.
    :param refusal: the beginning of each :class:`~txtokensock.errors.ProxyRefused`'s text.
    """

    def __init__(self, request: bytes, login: bytes | None, refusal: str) -> None:
        self._request = request
        self._login = login
        self._refusal = refusal
        self._buffer = b""

    def start(self, write: Callable[[bytes], object]) -> None:
        self._conversation = self._converse(write)
        self._needed = next(self._conversation)

    def received(self, data: bytes) -> bytes | None:
        self._buffer += data
        while len(self._buffer) >= self._needed:
            piece = self._buffer[: self._needed]
            self._buffer = self._buffer[self._needed :]
            try:
                self._needed = self._conversation.send(piece)
            except StopIteration:
                return self._buffer
        return None

    def _converse(self, write: Callable[[bytes], object]) -> Generator[int, bytes, None]:
        yield from self._authenticate(write)
        write(self._request)
        version, reply = yield 2
        self._check_version(version, _VERSION)
        # Some proxies that refuse send no more than this, or hang up in the middle.
        if reply:
            raise self._refused(_REPLIES.get(reply, f"unknown reply code {reply}"))
        _, address_type = yield 2  # the first is reserved
        if address_type == _NAME:
            (length,) = yield 1
        elif address_type in (_IPV4, _IPV6):
            length = 4 if address_type == _IPV4 else 16
        else:
            raise self._refused(f"it does not speak SOCKS5: unknown address type {address_type}")
        yield length + 2  # the address and port that the proxy connects from are not used

    def _authenticate(self, write: Callable[[bytes], object]) -> Generator[int, bytes, None]:
        offered = [_NO_AUTHENTICATION, *([_USER_AND_PASSWORD] if self._login else [])]
        write(bytes([_VERSION, len(offered), *offered]))
        version, method = yield 2
        self._check_version(version, _VERSION)
        if method not in offered:
            raise self._refused(self._no_method(method))
        if method == _USER_AND_PASSWORD and self._login is not None:
            write(self._login)
            version, status = yield 2
            self._check_version(version, _LOGIN_VERSION)
            if status:
                raise self._refused("it does not accept the user and the password")

    def _no_method(self, method: int) -> str:
        """What is wrong with the authentication method that the proxy chose."""
        if self._login is None and method in (_USER_AND_PASSWORD, _NO_ACCEPTABLE_METHOD):
            return (
                "it asks for a password: give its user and password, as in"
                " socks5://user:password@host:port"
            )
        if method == _NO_ACCEPTABLE_METHOD:
            return "it accepts neither a user with a password nor a client without"
        return f"it chose authentication method {method}, which was not offered"

    def _check_version(self, version: int, expected: int) -> None:
        if version != expected:
            raise self._refused(
                f"it does not speak SOCKS5: it answered with version {version}"
                f" where {expected} is expected"
            )

    def _refused(self, reason: str) -> ProxyRefused:
        return ProxyRefused(f"{self._refusal}: {reason}")


def _connect_request(host: str, port: int) -> bytes:
    """The request to connect: RFC 1928, section 4."""
    # A SOCKS address has no room for a zone, as in fe80::1%eth0: that is sent as a name.
    try:
        address = None if "%" in host else ip_address(host)
    except ValueError:
        address = None
    if address is None:
        target = bytes([_NAME]) + _with_length(host.encode("ascii"))
    else:
        target = bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed
    return bytes([_VERSION, _CONNECT, 0]) + target + port.to_bytes(2, "big")


def _login_request(user: str, password: str) -> bytes:
    """The message with user and password: RFC 1929, section 2."""
    login = _with_length(user.encode("utf-8")) + _with_length(password.encode("utf-8"))
    return bytes([_LOGIN_VERSION]) + login


def _with_length(data: bytes) -> bytes:
    return bytes([len(data)]) + data
