"""
Who sent a request that came through a proxy.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from txtokensock.errors import InvalidOption
from txtokensock.web.server.trusted_proxies import TrustedProxies, forwarded, is_secure

PROXY = IPv4Address("TCP", "10.0.0.1", 40000)
STRANGER = IPv4Address("TCP", "203.0.113.7", 40000)

XFF = "X-Forwarded-For"
XFP = "X-Forwarded-Proto"
FORWARDED = "Forwarded"


def request(headers: dict[str, Any], peer: Any = PROXY) -> Any:
    """A request that came from an address, with headers."""
    made = DummyRequest([b""])
    made.client = peer
    made.isSecure = lambda: False  # type: ignore[method-assign]
    for name, value in headers.items():
        lines = value if isinstance(value, list) else [value]
        made.requestHeaders.setRawHeaders(name, lines)
    return made


class TrustedProxiesTests(SynchronousTestCase):
    """``TrustedProxies``."""

    def setUp(self) -> None:
        self.proxies = TrustedProxies(["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"])

    def seen(self, headers: dict[str, Any], peer: Any = PROXY) -> tuple[str, bool | None] | None:
        """The client and whether it used TLS; None where the request came through no proxy."""
        made = request(headers, peer)
        self.proxies.look_at(made)
        found = forwarded(made)
        if found is None:
            self.assertEqual(made.getClientAddress(), peer)
            return None
        self.assertEqual(made.getClientAddress(), found.client)
        return made.getClientAddress().host, found.secure

    def client(self, headers: dict[str, Any]) -> str | None:
        """The client's host."""
        seen = self.seen(headers)
        return None if seen is None else seen[0]

    def test_networks(self) -> None:
        """Addresses are within networks whichever way the socket has them."""
        for host, trusted in (
            *(("10.1.2.3", True), ("192.0.2.1", True), ("192.0.2.2", False), ("11.0.0.1", False)),
            *(("no address", False), ("", False)),
        ):
            self.assertEqual(self.proxies.trusts(IPv4Address("TCP", host, 1)), trusted, host)
        for host, trusted in (
            *(("2001:db8::1", True), ("2001:db9::1", False), ("::ffff:10.1.2.3", True)),
            *(("::ffff:11.0.0.1", False), ("2001:db8::1%eth0", True)),
        ):
            self.assertEqual(self.proxies.trusts(IPv6Address("TCP", host, 1)), trusted, host)
        mapped = TrustedProxies(["::ffff:10.0.0.0/104"])
        self.assertTrue(mapped.trusts(PROXY))
        self.assertFalse(mapped.trusts(IPv4Address("TCP", "11.0.0.1", 1)))

    def test_unix(self) -> None:
        """Who connects through a UNIX socket is trusted by a word of its own."""
        address = UNIXAddress("/run/app.sock")
        self.assertFalse(self.proxies.trusts(address))
        proxies = TrustedProxies(["unix"])
        self.assertTrue(proxies.trusts(address))
        self.assertFalse(proxies.trusts(PROXY))
        made = request({XFF: "203.0.113.7"}, address)
        proxies.look_at(made)
        self.assertEqual(made.getClientAddress().host, "203.0.113.7")

    def test_none(self) -> None:
        """By default nobody is trusted."""
        proxies = TrustedProxies()
        self.assertFalse(proxies)
        self.assertTrue(self.proxies)
        self.assertTrue(TrustedProxies(["unix"]))
        for address in (PROXY, UNIXAddress("/run/app.sock"), IPv6Address("TCP", "::1", 1)):
            self.assertFalse(proxies.trusts(address))

    def test_wrong(self) -> None:
        """What is not a network is refused, and the text says what one is."""
        for wrong in ("10.0.0.0/8", b"x", 1, None):
            self.assertRaises(InvalidOption, TrustedProxies, wrong)
        for network in ("10.0.0.0/33", "10.0.0.1/8", "proxy.example", "", 1, b"10.0.0.1", None):
            problem = self.assertRaises(InvalidOption, TrustedProxies, [network])
            self.assertIn(f"trusted_proxies has {network!r}: a network is like", str(problem))

    def test_x_forwarded_for(self) -> None:
        """It is read from the right: what stands left of a stranger is the stranger's word."""
        for value, client in (
            ("203.0.113.7", "203.0.113.7"),
            ("1.1.1.1, 203.0.113.7", "203.0.113.7"),
            ("1.1.1.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
            ("10.9.9.9, 203.0.113.7", "203.0.113.7"),
            ("10.9.9.9, 10.0.0.2", "10.9.9.9"),
            (["1.1.1.1", "203.0.113.7,10.0.0.2"], "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:DB9:0::7", "2001:db9::7"),
            ("[2001:db9::7]", "2001:db9::7"),
            ("[2001:db9::7]:4711", "2001:db9::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("1.1.1.1, ::ffff:203.0.113.7, ::ffff:10.0.0.2", "203.0.113.7"),
        ):
            self.assertEqual(self.client({XFF: value}), client, value)

    def test_garbage(self) -> None:
        """The client is then the proxy that wrote it."""
        for value in (
            *("", " ", "unknown", "_hidden", "x" * 10_000, "203.0.113", "203.0.113.7:"),
            *("203.0.113.7:65536", "[203.0.113.7", "2001:db9::7::1", "fe80::1%x", "203.0.113.7,"),
            *(b"\xff\xfe", b"\xd9\xa1.1.1.1", "1.1.1.1 2.2.2.2", "[]", "::ffff:1.1.1.1.1"),
        ):
            self.assertEqual(self.client({XFF: value}), "10.0.0.1", value)
        self.assertEqual(self.client({XFF: "203.0.113.7, junk, 10.0.0.2"}), "10.0.0.2")

    def test_ports(self) -> None:
        """The port is the one that was forwarded, or 0."""
        for value, port in (("203.0.113.7:4711", 4711), ("203.0.113.7", 0)):
            made = request({XFF: value})
            self.proxies.look_at(made)
            self.assertEqual(made.getClientAddress(), IPv4Address("TCP", "203.0.113.7", port))

    def test_forwarded(self) -> None:
        """RFC 7239: quoted values, brackets, ports, names that hide the address."""
        for value, client, secure in (
            ("for=203.0.113.7", "203.0.113.7", None),
            ("For=203.0.113.7;PROTO=https", "203.0.113.7", True),
            ("for=203.0.113.7; proto=http; by=10.0.0.2", "203.0.113.7", False),
            ("secret=_s;for=203.0.113.7;x-id2=a.b;proto=https", "203.0.113.7", True),
            ('for="203.0.113.7:4711"', "203.0.113.7", None),
            ('for="[2001:db9::7]:4711"', "2001:db9::7", None),
            ("for=[2001:db9::7]", "2001:db9::7", None),
            ("for=1.1.1.1, for=203.0.113.7;proto=https", "203.0.113.7", True),
            ("for=203.0.113.7;proto=https, for=10.0.0.2;proto=http", "203.0.113.7", True),
            ("for=203.0.113.7, for=10.0.0.2;proto=http", "203.0.113.7", None),
            (["for=203.0.113.7", "for=10.0.0.2"], "203.0.113.7", None),
            ('for=203.0.113.7;host="a, for=10.0.0.9"', "203.0.113.7", None),
            ("for=unknown;proto=https", "10.0.0.1", True),
            ("for=_hidden, for=10.0.0.2", "10.0.0.2", None),
            ('for="_a:b"', "10.0.0.1", None),
            ("proto=https", "10.0.0.1", True),
            ('for="203.0.113.7', "10.0.0.1", None),
            ("for=203.0.113.7;for=10.0.0.9", "10.0.0.1", None),
            ("for=", "10.0.0.1", None),
            ("", "10.0.0.1", None),
            (b"\xff=\xff", "10.0.0.1", None),
        ):
            self.assertEqual(self.seen({FORWARDED: value}), (client, secure), value)

    def test_open_quote(self) -> None:
        """A quote that a stranger does not close takes nothing from what a proxy has added."""
        for start in ('for="10.0.0.9', 'for="', '"', 'for=x;host="a;'):
            value = f"{start}, for=203.0.113.7;proto=https"
            self.assertEqual(self.seen({FORWARDED: value}), ("203.0.113.7", True), value)

    def test_schemes(self) -> None:
        """X-Forwarded-Proto may have one scheme for all hops, or one for each."""
        one, three = "203.0.113.7", "203.0.113.7, 10.0.0.3, 10.0.0.2"
        for hops, value, secure in (
            *((one, "https", True), (one, "HTTP", False), (one, "wss", True), (one, "ws", False)),
            *((one, "x", None), (one, "", None), (one, b"\xff", None)),
            *((three, "https", True), (three, "https, http, http", True)),
            *((three, "http, https, https", False), (one, "https, http", False)),
        ):
            seen = self.seen({XFF: hops, XFP: value})
            self.assertEqual(seen, ("203.0.113.7", secure), (hops, value))
        self.assertEqual(self.seen({XFP: "https"}), ("10.0.0.1", True))

    def test_both(self) -> None:
        """X-Forwarded-For holds: most proxies pass on the other as the client sent it."""
        both = {XFF: "203.0.113.7", FORWARDED: "for=10.0.0.9;proto=https"}
        self.assertEqual(self.seen(both), ("203.0.113.7", None))
        self.assertEqual(self.seen({**both, XFP: "http"}), ("203.0.113.7", False))

    def test_no_headers(self) -> None:
        """What the proxy asks by itself, such as whether the server lives, is its own."""
        self.assertIsNone(self.seen({}))

    def test_stranger(self) -> None:
        """Who is not trusted says nothing."""
        headers = {XFF: "10.0.0.9", XFP: "https", FORWARDED: "for=10.0.0.9"}
        self.assertIsNone(self.seen(headers, STRANGER))

    def test_long(self) -> None:
        """So many hops are believed, and no more are looked at."""
        value = ",".join(["203.0.113.7"] + ["10.0.0.2"] * 19)
        self.assertEqual(self.client({XFF: value}), "203.0.113.7")
        value = ",".join(["203.0.113.7"] + ["10.0.0.2"] * 20)
        self.assertEqual(self.client({XFF: value}), "10.0.0.2")
        value = ",".join(["for=203.0.113.7"] + ["for=10.0.0.2"] * 20)
        self.assertEqual(self.client({FORWARDED: value}), "10.0.0.2")

    def test_secure(self) -> None:
        """What a trusted proxy says goes before what the connection to it is."""
        for headers, socket, secure in (
            ({XFF: "203.0.113.7", XFP: "https"}, False, True),
            ({XFF: "203.0.113.7", XFP: "http"}, True, False),
            ({XFF: "203.0.113.7"}, True, True),
            ({}, True, True),
            ({}, False, False),
        ):
            made = request(headers)
            made.isSecure = lambda socket=socket: socket
            self.proxies.look_at(made)
            self.assertEqual(is_secure(made), secure, (headers, socket))

    def test_once(self) -> None:
        """A request is looked at once, though the site and its resource both ask."""
        made = request({XFF: "1.1.1.1, 10.0.0.2"})
        TrustedProxies(["10.0.0.1"]).look_at(made)
        self.proxies.look_at(made)
        self.assertEqual(made.getClientAddress().host, "10.0.0.2")


PARTS = st.sampled_from(
    [
        *(b"203.0.113.7", b"10.0.0.2", b"[2001:db9::7]:1", b"for=", b"proto=https", b'"', b"\\"),
        *(b",", b";", b" ", b"unknown", b"_x", b"::ffff:10.0.0.2", b"%", b"=", b"\x00"),
    ]
)
VALUES = st.one_of(st.binary(max_size=60), st.lists(PARTS, max_size=30).map(b"".join))
HEADERS = st.dictionaries(
    st.sampled_from([XFF, XFP, FORWARDED]), st.lists(VALUES, min_size=1, max_size=3)
)


class AnythingTests(SynchronousTestCase):
    """Headers that anybody could send."""

    @given(HEADERS)
    def test_trusted(self, headers: dict[str, list[bytes]]) -> None:
        """Whatever a proxy passes on, nothing is raised, and the client has an IP address."""
        made = request(headers)
        proxies = TrustedProxies(["10.0.0.0/8"])
        proxies.look_at(made)
        self.assertIsInstance(made.getClientAddress(), IPv4Address | IPv6Address)

    @given(HEADERS)
    def test_untrusted(self, headers: dict[str, list[bytes]]) -> None:
        """A stranger's headers change nothing."""
        made = request(headers, STRANGER)
        TrustedProxies(["10.0.0.0/8", "unix"]).look_at(made)
        self.assertIsNone(forwarded(made))
        self.assertIs(made.getClientAddress(), STRANGER)

    @given(HEADERS)
    def test_appended(self, headers: dict[str, list[bytes]]) -> None:
        """Whatever a stranger sends, the address that the proxy adds is the client's."""
        for name, added in ((XFF, b"203.0.113.9"), (FORWARDED, b"for=203.0.113.9")):
            sent = {other: lines for other, lines in headers.items() if name == other}
            sent[name] = [*sent.get(name, []), added]
            made = request(sent)
            TrustedProxies(["10.0.0.0/8"]).look_at(made)
            self.assertEqual(made.getClientAddress().host, "203.0.113.9", sent)
