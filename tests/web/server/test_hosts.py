"""
Which names a server on a loopback address answers to.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from txtokensock.errors import InvalidOption
from txtokensock.web.server.hosts import HostPolicy
from txtokensock.web.server.origins import OriginPolicy
from txtokensock.web.server.trusted_proxies import TrustedProxies

LOCAL = IPv4Address("TCP", "127.0.0.1", 8080)


def request(host: str | None, address: Any = LOCAL) -> Any:
    """A request for a host that came to an address."""
    made = DummyRequest([b""])
    made.getHost = lambda: address  # type: ignore[method-assign]
    if host is not None:
        made.requestHeaders.setRawHeaders("host", [host])
    return made


class HostPolicyTests(SynchronousTestCase):
    """``allowed_hosts``."""

    def test_loopback_names(self) -> None:
        """A server on a loopback address is for this machine's names alone."""
        policy = HostPolicy(())
        for host in (
            *("localhost", "LOCALHOST:8080", "a.localhost", "127.0.0.1:8080", "127.1.2.3"),
            *("[::1]", "[::1]:8080", None),
        ):
            self.assertTrue(policy.allow(request(host)), host)
        for host in (
            *("evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1"),
            *("127.0.0.1.evil.example", "notlocalhost", "evil.example@localhost", "", "["),
            *("[::1].evil.example", "127.0.0.1%.evil.example", "localhost:80.evil.example"),
            *("[::1%25evil.example]", "localhost:evil", "127.1", "0.0.0.0", "2130706433"),
        ):
            self.assertFalse(policy.allow(request(host)), host)

    def test_two(self) -> None:
        """A request for two hosts is for neither of them, whichever comes last."""
        for hosts in (["evil.example", "localhost"], ["localhost", "evil.example"]):
            made = request(None)
            made.requestHeaders.setRawHeaders("host", hosts)
            self.assertFalse(HostPolicy(()).allow(made), hosts)

    def test_where_it_came_to(self) -> None:
        """The address of the accepted socket counts."""
        policy = HostPolicy(())
        for address, allowed in (
            (IPv4Address("TCP", "127.0.0.2", 1), False),
            (IPv6Address("TCP", "::1", 1), False),
            (IPv6Address("TCP", "::ffff:127.0.0.1", 1), False),
            (IPv4Address("TCP", "10.0.0.1", 1), True),
            (IPv6Address("TCP", "2001:db8::1", 1), True),
            (UNIXAddress("/run/app.sock"), True),
        ):
            self.assertEqual(policy.allow(request("evil.example", address)), allowed, address)

    def test_listed(self) -> None:
        """Listed hosts are allowed, and those of listed origins; with a star, all are."""
        origins = OriginPolicy(["https://b.example:8443", "http://[2001:db8::1]/", "null"])
        policy = HostPolicy({"App.example"}, origins)
        for host in ("app.example", "app.example:8080", "b.example", "localhost", "[2001:db8::1]"):
            self.assertTrue(policy.allow(request(host)), host)
        self.assertFalse(policy.allow(request("c.example")))
        decided = OriginPolicy(lambda *_: True)
        self.assertFalse(HostPolicy((), decided).allow(request("c.example")))
        self.assertTrue(HostPolicy((), OriginPolicy("*")).allow(request("c.example")))

    def test_trusted_proxies(self) -> None:
        """What they pass on is judged only where allowed_hosts is set, whatever the address."""
        origins = OriginPolicy(["https://b.example"])
        for headers, allowed, host, answered in (
            ({"x-forwarded-for": "203.0.113.7"}, (), "app.example", True),
            ({"forwarded": "for=203.0.113.7"}, (), "app.example", True),
            ({"x-forwarded-for": "203.0.113.7"}, ["app.example"], "app.example", True),
            ({"x-forwarded-for": "203.0.113.7"}, ["app.example"], "b.example", True),
            ({"x-forwarded-for": "203.0.113.7"}, ["app.example"], "c.example", False),
            # Not for somebody else: it may be a browser on this machine.
            ({}, (), "app.example", False),
        ):
            for address in (LOCAL, IPv4Address("TCP", "10.0.0.1", 1)):
                made = request(host, address)
                made.client = IPv4Address("TCP", "127.0.0.1", 40000)
                for name, value in headers.items():
                    made.requestHeaders.setRawHeaders(name, [value])
                TrustedProxies(["127.0.0.1"]).look_at(made)
                expected = answered or (not headers and address is not LOCAL)
                self.assertEqual(HostPolicy(allowed, origins).allow(made), expected, headers)

    def test_logged(self) -> None:
        """The log names the host and the option."""
        with capturedLogs() as events:
            HostPolicy(()).allow(request("evil.example"))
        (text,) = map(formatEvent, events)
        self.assertIn("evil.example", text)
        self.assertIn("allowed_hosts (serve --allowed-host)", text)

    def test_wrong(self) -> None:
        """What is not a host is refused when it is set."""
        for wrong in (
            "a.example",
            b"a",
            1,
            None,
            [""],
            [1],
            ["a.example:80"],
            ["http://a.example"],
        ):
            self.assertRaises(InvalidOption, HostPolicy, wrong)
