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
        ):
            self.assertFalse(policy.allow(request(host)), host)

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
        policy = HostPolicy({"App.example"}, ["https://b.example:8443", "null"])
        for host in ("app.example", "app.example:8080", "b.example", "localhost"):
            self.assertTrue(policy.allow(request(host)), host)
        self.assertFalse(policy.allow(request("c.example")))
        self.assertFalse(HostPolicy((), lambda *_: True).allow(request("c.example")))
        self.assertTrue(HostPolicy((), "*").allow(request("c.example")))

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
