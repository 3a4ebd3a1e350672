"""
HTTP CONNECT: a connection through an HTTP proxy, see RFC 9110 section 9.3.6.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from http import HTTPStatus

import h11
from twisted.internet.interfaces import IStreamClientEndpoint

from ...errors import ProxyRefused, shorten
from .http11 import HTTP11, LONGEST_HEAD, BadResponse, HeadTooLong
from .request_headers import USER_AGENT
from .tunnel import TunnelEndpoint

__all__ = ["ConnectEndpoint"]

# tinyproxy 1.11 answers 401 to those who tried with a wrong password.
_WHO_ARE_YOU = (HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, HTTPStatus.UNAUTHORIZED)


class ConnectEndpoint(TunnelEndpoint):
    """
    Connects through an HTTP proxy, by CONNECT: the proxy passes on the bytes of the
    connection and does not read them.

    :param authorization: the value of ``Proxy-Authorization``, such as ``"Basic eDp5"``.

    The other parameters are those of :class:`~.tunnel.TunnelEndpoint`.
    """

    def __init__(
        self,
        proxy_endpoint: IStreamClientEndpoint,
        host: str,
        port: int,
        *,
        proxy_name: str,
        authorization: str | None = None,
    ) -> None:
        super().__init__(proxy_endpoint, host, port, proxy_name=proxy_name)
        self._authorization = authorization

    def negotiate(self) -> _Connect:
        return _Connect(self.target, self.proxy_name, self._authorization)


class _Connect:
    """The request CONNECT, and the answer to it."""

    def __init__(self, target: str, proxy_name: str, authorization: str | None) -> None:
        self._target = target
        self._proxy_name = proxy_name
        self._authorization = authorization
        self._http = HTTP11(LONGEST_HEAD)

    def start(self, write: Callable[[bytes], object]) -> None:
        headers = [("Host", self._target), ("User-Agent", USER_AGENT)]
        if self._authorization is not None:
            headers.append(("Proxy-Authorization", self._authorization))
        request = h11.Request(method="CONNECT", target=self._target, headers=headers)
        write(self._http.send(request) + self._http.send(h11.EndOfMessage()))

    def received(self, data: bytes) -> bytes | None:
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
            while isinstance(event, h11.InformationalResponse):
                event = self._http.next_event()
        except HeadTooLong:
            raise ProxyRefused(
                f"the proxy {self._proxy_name} answered with a head over 64 KiB"
            ) from None
        except BadResponse:
            raise ProxyRefused(
                f"the proxy {self._proxy_name} did not answer as HTTP proxies do"
            ) from None
        if self._http.switched:
            return self._http.unread
        if isinstance(event, h11.Response):
            raise self._refusal(event.status_code, event.reason.decode("latin-1"))
        return None

    def _refusal(self, status: int, reason: str) -> ProxyRefused:
        if any(secret in reason for secret in self._secrets()):
            reason = next((known.phrase for known in HTTPStatus if known == status), "")
        hint = ""
        if status in _WHO_ARE_YOU:
            hint = (
                ": it does not accept the user and the password"
                if self._authorization
                else ": give its user and password, as in http://user:password@host:port"
            )
        return ProxyRefused(
            f"the proxy {self._proxy_name} refused to connect us to {self._target}:"
            f" {shorten(f'{status} {reason}')}{hint}",
            status,
        )

    def _secrets(self) -> list[str]:
        """Our credentials, which a proxy may send back, and no error text may repeat."""
        if self._authorization is None:
            return []
        _, _, encoded = self._authorization.partition(" ")
        try:
            _, _, password = b64decode(encoded).decode("utf-8").partition(":")
        except (NotBase64, UnicodeDecodeError):
            password = ""
        return [secret for secret in (encoded, password) if secret]
