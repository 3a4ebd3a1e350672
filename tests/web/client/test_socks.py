"""SOCKS5: what a proxy is told, what its answers mean, and how it all ends."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface.verify import verifyObject

from txtokensock.errors import AttemptTimeout, ConnectFailed, ProxyRefused
from txtokensock.support.timeouts import Timeouts, within_phase
from txtokensock.web.client.socks import SocksEndpoint

from .proxy import ProxyTestCase

NAME = "socks5://proxy.test:1080"
CREDENTIALS = ("ada", "s3cret")

METHOD = b"\5\0"
OPENED = METHOD + b"\5\0\0\1" + b"\x0a\0\0\1" + b"\0\x50"
ASKS = b"\5\2"
KNOWN = b"\1\0"

GREETING = b"\5\1\0"
GREETING_WITH_LOGIN = b"\5\2\0\2"
LOGIN = b"\1\x03ada\x06s3cret"
REQUEST = b"\5\1\0\3" + b"\x0bserver.test" + b"\x01\xbb"


def credential(min_size: int = 0) -> st.SearchStrategy[str]:
    """A user or a password that SOCKS5 can send."""
    text = st.text(st.characters(exclude_categories=["Cs"]), min_size=min_size, max_size=255)
    return text.filter(lambda user: len(user.encode()) <= 255)


def bound() -> st.SearchStrategy[bytes]:
    """Where a proxy says that it connects from: whatever kind of address, any bytes in it."""
    name = st.binary(max_size=255).map(lambda name: b"\3" + bytes([len(name)]) + name)
    ipv4 = st.binary(min_size=4, max_size=4).map(lambda address: b"\1" + address)
    ipv6 = st.binary(min_size=16, max_size=16).map(lambda address: b"\4" + address)
    return st.tuples(name | ipv4 | ipv6, st.binary(min_size=2, max_size=2)).map(b"".join)


class SocksTestCase(ProxyTestCase):
    """With a SOCKS proxy."""

    def endpoint(self, host: str = "server.test", port: int = 443, **options: Any) -> Any:
        proxy = self.network.endpoint(lambda: self.accept, 1080)
        return SocksEndpoint(proxy, host, port, proxy_name=NAME, **options)

    def refusal(self, answer: bytes, **options: Any) -> str:
        """What is said of that answer, which must be no more than a refused connection."""
        error = self.failure(self.connecting(None, answer, **options), ProxyRefused)
        self.assertEqual((error.status, error.phase), (None, "connect"))
        prefix = f"the proxy {NAME} refused to connect us to server.test:443: "
        self.assertTrue(str(error).startswith(prefix), str(error))
        for secret in CREDENTIALS:
            self.assertNotIn(secret, f"{error} {error!r}")
        return str(error).removeprefix(prefix)


class RequestTests(SocksTestCase):
    """What the proxy is told."""

    def test_name(self) -> None:
        """The proxy resolves names."""
        self.connected(OPENED)
        self.assertEqual(self.proxy.received, GREETING + REQUEST)

    def test_ipv4(self) -> None:
        """An IPv4 address goes as one."""
        self.connected(OPENED, host="10.0.0.2", port=80)
        self.assertEqual(self.proxy.received, GREETING + b"\5\1\0\1\x0a\0\0\2\0\x50")

    def test_ipv6(self) -> None:
        """So does an IPv6 address."""
        self.connected(OPENED, host="2001:db8::1", port=80)
        address = b"\x20\x01\x0d\xb8" + b"\0" * 11 + b"\1"
        self.assertEqual(self.proxy.received, GREETING + b"\5\1\0\4" + address + b"\0\x50")

    def test_zone(self) -> None:
        """SOCKS addresses have no zone, so that one goes as a name instead of losing it."""
        self.connected(OPENED, host="fe80::1%eth0", port=80)
        self.assertEqual(self.proxy.received, GREETING + b"\5\1\0\3\x0cfe80::1%eth0\0\x50")

    def test_credentials(self) -> None:
        """They are offered, and sent to a proxy that asks for them, before the request."""
        self.connected(ASKS + KNOWN + OPENED[2:], credentials=CREDENTIALS)
        self.assertEqual(self.proxy.received, GREETING_WITH_LOGIN + LOGIN + REQUEST)

    def test_credentials_that_nobody_asks_for(self) -> None:
        """A proxy that does not ask for them is not told them."""
        self.connected(OPENED, credentials=CREDENTIALS)
        self.assertEqual(self.proxy.received, GREETING_WITH_LOGIN + REQUEST)

    def test_one_thing_after_the_other(self) -> None:
        """Nothing is sent before the proxy has answered what was sent before."""
        self.connecting(credentials=CREDENTIALS)
        said = [self.proxy.received]
        for answer in (ASKS, KNOWN, OPENED[2:]):
            self.proxy.received = b""
            self.proxy.transport.write(answer)
            self.settle()
            said.append(self.proxy.received)
        self.assertEqual(said, [GREETING_WITH_LOGIN, LOGIN, REQUEST, b""])

    @given(
        st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=255)
        | st.ip_addresses().map(str),
        st.integers(1, 65535),
        st.none() | st.tuples(credential(min_size=1), credential()),
    )
    def test_any(self, host: str, port: int, credentials: tuple[str, str] | None) -> None:
        """What is sent, and read as the RFCs say, is what was to be sent."""
        endpoint = SocksEndpoint(
            self.network.endpoint(), host, port, proxy_name=NAME, credentials=credentials
        )
        said: list[bytes] = []
        negotiation = endpoint.negotiate()
        negotiation.start(said.append)
        answers = OPENED if credentials is None else ASKS + KNOWN + OPENED[2:]
        self.assertEqual(negotiation.received(answers), b"")
        if credentials is not None:
            login = said.pop(1)
            user, rest = login[2 : 2 + login[1]], login[2 + login[1] :]
            self.assertEqual((login[:1], rest[0]), (b"\1", len(rest) - 1))
            self.assertEqual((user.decode(), rest[1:].decode()), credentials)
        _, request = said
        self.assertEqual(request[:3], b"\5\1\0")
        address = request[4:-2]
        if request[3] == 3:
            self.assertEqual((address[0], address[1:].decode()), (len(host), host))
        else:
            self.assertEqual(len(address), {1: 4, 4: 16}[request[3]])
            self.assertEqual(str(ipaddress.ip_address(address)), host)
        self.assertEqual(int.from_bytes(request[-2:], "big"), port)

    def test_interface(self) -> None:
        """It is an endpoint, and its repr holds no secret."""
        endpoint = self.endpoint("2001:db8::1", credentials=CREDENTIALS)
        verifyObject(IStreamClientEndpoint, endpoint)
        self.assertEqual(repr(endpoint), f"<SocksEndpoint to [2001:db8::1]:443 through {NAME}>")


class AnswerTests(SocksTestCase):
    """What the proxy's answers mean."""

    def test_addresses(self) -> None:
        """Whatever address it is that the proxy connects from."""
        for address in (b"\1" + b"\0" * 4, b"\4" + b"\0" * 16, b"\3\7example", b"\3\0"):
            client = self.connected(METHOD + b"\5\0\0" + address + b"\0\x50" + b"behind")
            self.assertEqual(client.received, b"behind")
            self.proxy.transport.write(b" and more")
            self.settle()
            self.assertEqual(client.received, b"behind and more")
            self.proxy.transport.loseConnection()
            self.settle()
            (reason,) = client.lost
            self.assertIsInstance(reason, ConnectionDone)

    @given(
        bound(),
        st.binary(max_size=300),
        st.sampled_from([(None, METHOD), (CREDENTIALS, METHOD), (CREDENTIALS, ASKS + KNOWN)]),
        st.lists(st.integers(0, 600)),
    )
    def test_any_pieces(
        self, address: bytes, behind: bytes, way: tuple[Any, bytes], cuts: list[int]
    ) -> None:
        """
        Answers may be cut anywhere, and what is behind them, in the same segment too, is the
        application's.
        """
        credentials, start = way
        answers = start + b"\5\0\0" + address
        stream = answers + behind
        ends = [*sorted({cut for cut in cuts if 0 < cut < len(stream)}), len(stream)]
        pieces = [stream[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
        negotiation = self.endpoint(credentials=credentials).negotiate()
        negotiation.start(lambda _: None)
        read = 0
        while (rest := negotiation.received(pieces.pop(0))) is None:
            self.assertLess(ends[read], len(answers))
            read += 1
        self.assertGreaterEqual(ends[read], len(answers))
        self.assertEqual(rest + b"".join(pieces), behind)

    def test_replies(self) -> None:
        """Each is told in words, as soon as it is known."""
        for code, said in (
            (1, "general SOCKS server failure"),
            (2, "connection not allowed by ruleset"),
            (3, "Network unreachable"),
            (4, "Host unreachable"),
            (5, "Connection refused"),
            (6, "TTL expired"),
            (7, "Command not supported"),
            (8, "Address type not supported"),
            (9, "unknown reply code 9"),
            (0x63, "unknown reply code 99"),
            (0xFF, "unknown reply code 255"),
        ):
            for rest in (b"", b"\0", b"\0\1" + b"\0" * 6, b"\0\x09"):
                self.assertEqual(self.refusal(METHOD + bytes([5, code]) + rest), said)

    def test_passwords(self) -> None:
        """A proxy that wants one, or another one, says so; the error says what to do."""
        for method in (ASKS, b"\5\xff"):
            self.assertEqual(
                self.refusal(method),
                "it asks for a password: give its user and password, as in"
                " socks5://user:password@host:port",
            )
        for status in (b"\1\1", b"\1\xff"):
            self.assertEqual(
                self.refusal(ASKS + status, credentials=CREDENTIALS),
                "it does not accept the user and the password",
            )
        self.assertEqual(
            self.refusal(b"\5\xff", credentials=CREDENTIALS),
            "it accepts neither a user with a password nor a client without",
        )

    def test_unknown_methods(self) -> None:
        """One that nobody offered is not gone along with."""
        for method in (1, 3, 0x80):
            for credentials in (None, CREDENTIALS):
                self.assertEqual(
                    self.refusal(bytes([5, method]), credentials=credentials),
                    f"it chose authentication method {method}, which was not offered",
                )

    def test_something_else(self) -> None:
        """Other versions of SOCKS, other protocols, and kinds of addresses to come."""
        for answer, said in (
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "version 72 where 5 is expected"),
            (b"\0\x5a" + b"\0" * 6, "version 0 where 5 is expected"),
            (METHOD + b"\4\0", "version 4 where 5 is expected"),
            (ASKS + b"\5\0", "version 5 where 1 is expected"),
            (METHOD + b"\5\0\0\x09" + b"\0" * 6, "unknown address type 9"),
            (METHOD + b"\5\0\0\0", "unknown address type 0"),
        ):
            self.assertRegex(
                self.refusal(answer, credentials=CREDENTIALS),
                f"^it does not speak SOCKS5: .*{said}$",
            )

    @given(
        st.sampled_from([None, CREDENTIALS]),
        st.sampled_from([b"", METHOD, METHOD + b"\5\0\0", ASKS, ASKS + KNOWN]),
        st.lists(st.binary(max_size=12), max_size=5),
    )
    def test_anything(
        self, credentials: tuple[str, str] | None, start: bytes, pieces: list[bytes]
    ) -> None:
        """Whatever comes is an answer, a refusal, or incomplete."""
        negotiation = self.endpoint(credentials=credentials).negotiate()
        negotiation.start(lambda _: None)
        for piece in filter(None, [start, *pieces]):
            try:
                if negotiation.received(piece) is not None:
                    break
            except ProxyRefused:
                break


class EndTests(SocksTestCase):
    """How it ends without a connection."""

    ANSWERS = ASKS + KNOWN + OPENED[2:]

    def test_unreachable(self) -> None:
        """A proxy that is not there."""
        self.accept = False
        error = self.failure(self.connecting(credentials=CREDENTIALS), ConnectFailed)
        self.assertIn(f"cannot reach the proxy {NAME}", str(error))

    def test_closed(self) -> None:
        """A proxy that hangs up at any byte."""
        for end in range(len(self.ANSWERS)):
            for how in ("loseConnection", "abortConnection"):
                connecting = self.connecting(None, self.ANSWERS[:end], credentials=CREDENTIALS)
                getattr(self.proxy.transport, how)()
                self.settle()
                error = self.failure(connecting, ProxyRefused)
                self.assertIn(f"the proxy {NAME} closed the connection", str(error))

    def test_cancelled(self) -> None:
        """At any byte: the connection to the proxy is dropped."""
        for end in range(len(self.ANSWERS)):
            connecting = self.connecting(None, self.ANSWERS[:end], credentials=CREDENTIALS)
            connecting.cancel()
            self.failure(connecting, CancelledError)

    def test_hangs(self) -> None:
        """A deadline that is over while the proxy says nothing more names the proxy."""
        for end in range(len(self.ANSWERS)):
            connecting = self.connecting(None, self.ANSWERS[:end], credentials=CREDENTIALS)
            within_phase(connecting, "connect", Timeouts(connect=7), self.clock)
            self.clock.advance(6.9)
            self.assertNoResult(connecting)
            self.clock.advance(0.2)
            error = self.failure(connecting, AttemptTimeout)
            self.assertIn(f"the proxy {NAME} has not connected us", str(error))
