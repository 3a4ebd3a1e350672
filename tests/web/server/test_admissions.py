"""
What clients have open.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.web.server.admissions import Admissions, client_key

A, B = (IPv4Address("TCP", f"10.0.0.{number}", 1) for number in (1, 2))


class AdmissionsTests(SynchronousTestCase):
    """``Admissions``."""

    def setUp(self) -> None:
        self.open: Admissions[str] = Admissions()

    def test_counts(self) -> None:
        """In all and by address, whatever the port; what is gone is not counted."""
        for member, address in (("a1", A), ("a2", IPv4Address("TCP", A.host, 2)), ("b", B)):
            self.open.add(member, address)
        self.assertEqual((len(self.open), list(self.open)), (3, ["a1", "a2", "b"]))
        self.assertEqual([self.open.count(address) for address in (A, B)], [2, 1])
        for _ in range(2):
            self.open.remove("a1")
            self.assertEqual(
                (len(self.open), "a1" in self.open, "a2" in self.open), (2, False, True)
            )
            self.assertEqual([self.open.count(address) for address in (A, B)], [1, 1])
        self.assertEqual(self.open.count(IPv6Address("TCP", "::1", 1)), 0)

    def test_clients(self) -> None:
        """
        An IPv4 address is one client however a socket has it, and so are all the addresses of a
        network of 64 bits.
        """
        for one, other, same in (
            ("10.0.0.1", "::ffff:10.0.0.1", True),
            ("10.0.0.1", "::ffff:a00:1", True),
            ("10.0.0.1", "::ffff:10.0.0.2", False),
            ("2001:db8::1", "2001:db8:0:0:ffff::2", True),
            ("2001:db8::1", "2001:0DB8:0:0::", True),
            ("2001:db8::1", "2001:db8:0:1::1", False),
            ("fe80::1%eth0", "fe80::2", True),
            ("not:an:address", "not:an:address", True),
            ("not:an:address", "not:another", False),
        ):
            keys = {client_key(IPv6Address("TCP", host, 1)) for host in (one, other)}
            self.assertEqual(len(keys) == 1, same, (one, other))
        self.assertIsNone(client_key(UNIXAddress("/run/socket")))
        self.open.add("six", IPv6Address("TCP", "2001:db8::1", 1))
        self.assertEqual(self.open.count(IPv6Address("TCP", "2001:db8::ffff", 9)), 1)

    def test_unix(self) -> None:
        """The clients of a UNIX socket are not told apart."""
        for name in (None, "/run/socket"):
            self.open.add(f"member of {name}", UNIXAddress(name))
            self.assertEqual(self.open.count(UNIXAddress(name)), 0)
        self.assertEqual(len(self.open), 2)

    def test_when_empty(self) -> None:
        """It fires when the last one is gone, or at once."""
        self.assertIsNone(self.successResultOf(self.open.when_empty()))
        self.open.add("a", A)
        self.open.add("b", B)
        empty, cancelled = self.open.when_empty(), self.open.when_empty()
        cancelled.addErrback(lambda _: None)
        cancelled.cancel()
        self.open.remove("a")
        self.assertNoResult(empty)
        self.open.remove("b")
        self.assertIsNone(self.successResultOf(empty))
