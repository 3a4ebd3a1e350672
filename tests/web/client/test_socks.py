"""SOCKS5, in the part that txtorcon has of it and in the part that is ours."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone

from txtokensock.errors import ConnectFailed, ProxyRefused
from txtokensock.web.client.socks import SocksEndpoint, _Socks

from .proxy import ProxyTestCase

NAME = "socks5://proxy.test:1080"
METHOD = b"\5\0"
OPENED = METHOD + b"\5\0\0\1" + b"\x0a\0\0\1" + b"\0\x50"


class SocksTests(ProxyTestCase):
    """On connections in memory."""

    def endpoint(self, host: str = "server.test", port: int = 443, **options: Any) -> Any:
        proxy = self.network.endpoint(lambda: self.accept, 1080)
        return SocksEndpoint(proxy, host, port, proxy_name=NAME, **options)

    def test_name(self) -> None:
        """The proxy resolves names."""
        self.connected(OPENED)
        self.assertEqual(
            self.proxy.received, b"\5\1\0" + b"\5\1\0\3" + b"\x0bserver.test" + b"\x01\xbb"
        )

    def test_address(self) -> None:
        """An IPv4 address goes as one."""
        self.connected(OPENED, host="10.0.0.2", port=80)
        self.assertEqual(self.proxy.received, b"\5\1\0" + b"\5\1\0\1\x0a\0\0\2\0\x50")

    def test_answers(self) -> None:
        """Whatever address it is that the proxy connects from."""
        for address in (b"\1" + b"\0" * 4, b"\4" + b"\0" * 16, b"\3\7example"):
            client = self.connected(METHOD + b"\5\0\0" + address + b"\0\x50" + b"behind")
            self.assertEqual(client.received, b"behind")
            self.proxy.transport.write(b" and more")
            self.settle()
            self.assertEqual(client.received, b"behind and more")
            self.proxy.transport.loseConnection()
            self.settle()
            (reason,) = client.lost
            self.assertIsInstance(reason, ConnectionDone)

    def test_refusals(self) -> None:
        """Each is told in words."""
        for answer, said in (
            (METHOD + b"\5\5\0\1" + b"\0" * 6, "Connection refused"),
            (METHOD + b"\5\2\0\1" + b"\0" * 6, "connection not allowed by ruleset"),
            (METHOD + b"\5\x63\0\1" + b"\0" * 6, "Unknown SOCKS error-code 99"),
            (b"\5\xff", "it asks for a password, or does not speak SOCKS5"),
            (b"\5\2", "it asks for a password, or does not speak SOCKS5"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak SOCKS5"),
            (METHOD + b"\5\0\0\x09" + b"\0" * 6, "does not speak SOCKS5"),
        ):
            error = self.failure(self.connecting(None, answer), ProxyRefused)
            self.assertIn(f"the proxy {NAME} refused to connect us to server.test:443", str(error))
            self.assertIn(said, str(error))
            self.assertEqual((error.status, error.phase), (None, "connect"))

    def test_ends(self) -> None:
        """Unreachable, closed in the middle, and cancelled."""
        self.accept = False
        error = self.failure(self.connecting(), ConnectFailed)
        self.assertIn(f"cannot reach the proxy {NAME}", str(error))
        self.accept = True
        connecting = self.connecting(None, OPENED[:-1])
        self.proxy.transport.loseConnection()
        self.settle()
        self.failure(connecting, ProxyRefused)
        connecting = self.connecting(None, OPENED[:-1])
        connecting.cancel()
        self.failure(connecting, CancelledError)

    @given(st.lists(st.binary(max_size=12), max_size=5))
    def test_anything(self, pieces: list[bytes]) -> None:
        """Whatever comes is an answer, a refusal, or incomplete."""
        for start in (b"", METHOD, METHOD + b"\5\0\0"):
            socks = _Socks("server.test", 443, NAME)
            socks.start(lambda _: None)
            for piece in filter(None, [start, *pieces]):
                try:
                    if socks.received(piece) is not None:
                        break
                except ProxyRefused:
                    break
