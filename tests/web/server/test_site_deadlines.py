"""
In which time a request has to arrive, and who has to go for others.
"""

from __future__ import annotations

from errno import ENOSPC
from types import SimpleNamespace

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from tests.kit.site_client import Connection
from tests.kit.websocket import UPGRADE
from txtokensock.errors import InvalidOption
from txtokensock.sockjs.server.resource import SockJSResource
from txtokensock.web.server import bounded_request
from txtokensock.web.server.bounded_channel import TurnedAway
from txtokensock.web.server.client_rates import ClientRates
from txtokensock.web.server.descriptors import Descriptors
from txtokensock.web.server.site import BoundedSite
from txtokensock.web.server.site_limits import Refusal, SiteLimits
from txtokensock.web.server.trusted_proxies import TrustedProxies

from ...sockjs.server.support import Recorders
from .test_site import Page

HEAD = b"POST /page HTTP/1.1\r\nHost: a\r\n"


class SiteTestCase(SynchronousTestCase):
    """A site with few places."""

    limits = SiteLimits(max_body=100_000, head_timeout=10, body_timeout=20, body_rate=500)

    def setUp(self) -> None:
        self.clock = Clock()
        self.page = Page()
        self.refused: list[Refusal] = []
        root = Resource()
        root.putChild(b"page", self.page)
        root.putChild(b"echo", SockJSResource(Recorders(), reactor=self.clock))
        self.site = BoundedSite(
            root,
            self.limits,
            trusted_proxies=TrustedProxies(["10.9.0.0/16"]),
            on_refusal=self.refused.append,
            reactor=self.clock,
        )

    def connect(self, host: str = "10.0.0.1") -> Connection:
        """A new client."""
        return Connection(self, host)

    def drip(self, connection: Connection, data: bytes, *, seconds: float, count: int) -> None:
        """Send ``data`` so often, each time after so many seconds, while that is possible."""
        for _ in range(count):
            if connection.tcp.disconnecting or connection.tcp.lost:
                return
            self.clock.pump([seconds / 4] * 4)
            connection.send(data)

    def assert_late(self, connection: Connection, refusal: Refusal) -> None:
        """It is answered 408, and gone soon."""
        self.assertTrue(connection.take().startswith(b"HTTP/1.1 408 "))
        self.assertEqual(self.refused, [refusal])
        self.clock.pump([1] * 10)
        self.assertTrue(connection.tcp.lost)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.refused.clear()


class DeadlineTests(SiteTestCase):
    """Heads and bodies."""

    def test_silence(self) -> None:
        """Who says nothing at all, as in a TLS handshake that is never done, hears nothing."""
        connection = self.connect()
        self.clock.pump([9.5])
        self.assertFalse(connection.tcp.disconnecting)
        self.clock.pump([0.5, 0])
        self.assertTrue(connection.tcp.disconnecting)
        self.assertEqual(connection.take(), b"")
        self.assertEqual(self.refused, ["head_timeout"])

    def test_head(self) -> None:
        """The first line, a header, and the empty line, a byte at a time."""
        for begin in (b"", HEAD, HEAD + b"X: "):
            connection = self.connect()
            connection.send(begin)
            self.drip(connection, b"x", seconds=1, count=20)
            self.assert_late(connection, "head_timeout")

    def test_later_heads(self) -> None:
        """The next request has its time from its first byte, and may come long after."""
        connection = self.connect()
        for _ in range(2):
            self.assertEqual(connection.request("POST", "/page", body=b"x").status, 200)
            connection.take()
            self.clock.pump([29, 29])
            self.assertFalse(connection.tcp.disconnecting)
        self.drip(connection, b"x", seconds=1, count=20)
        self.assert_late(connection, "head_timeout")

    def test_heads_in_one_piece(self) -> None:
        """The next request has no more time where it begins with the end of the last one."""
        whole = HEAD + b"\r\n"
        for begin in (b"G", b"\r", HEAD, HEAD + b"X: "):
            connection = self.connect()
            connection.send(whole + begin)
            self.assertEqual(connection.response().status, 200)
            connection.take()
            self.drip(connection, b"x", seconds=3, count=4)
            self.assert_late(connection, "head_timeout")

    def test_who_does_not_let_go(self) -> None:
        """
        A connection that is to be closed after its answer is dropped in the end: over TLS it
        stays until the client has closed it as well.
        """
        for head in (b"POST /page HTTP/1.0\r\n", HEAD + b"Connection: close\r\n"):
            connection = self.connect()
            connection.tcp.reading = False
            connection.send(head + b"Content-Length: 1\r\n\r\nx")
            self.assertEqual(connection.response().status, 200)
            self.assertTrue(connection.tcp.disconnecting)
            self.clock.pump([30] * 3)
            self.assertTrue(connection.tcp.lost)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_others_have_their_time_too(self) -> None:
        """What is told of refusals raises for one connection, and all others are closed."""
        self.site = BoundedSite(
            self.page, self.limits, on_refusal=lambda _: {}["a"], reactor=self.clock
        )
        connections = [self.connect() for _ in range(3)]
        idle = self.connect()
        self.assertEqual(idle.request("POST", "/page", body=b"x").status, 200)
        self.clock.pump([10, 0])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 3)
        self.clock.pump([50, 0, 0])
        self.assertTrue(idle.tcp.lost or idle.tcp.disconnecting)
        for connection in connections:
            connection.drop()

    def test_idle(self) -> None:
        """A connection without a request is closed after a minute."""
        connection = self.connect()
        self.assertEqual(connection.request("POST", "/page", body=b"x").status, 200)
        self.clock.pump([30] * 4)
        self.assertTrue(connection.tcp.lost or connection.tcp.disconnecting)
        self.assertEqual(self.refused, [])

    def test_body(self) -> None:
        """A byte at a time: with a length, in chunks, in sizes of chunks, and after the last."""
        length, chunked = b"Content-Length: 9999\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
        for begin, data in (
            (length, b"x"),
            (chunked, b"1\r\nx\r\n"),
            (chunked, b"0"),
            (chunked + b"0\r\n", b"X: y\r\n"),
        ):
            connection = self.connect()
            connection.send(HEAD + begin)
            self.drip(connection, data, seconds=1, count=19)
            self.assertFalse(connection.tcp.disconnecting)
            self.drip(connection, data, seconds=1, count=10)
            self.assert_late(connection, "body_timeout")

    def test_slow_body(self) -> None:
        """One that comes as quickly as it must may take long; when it stops, it is late."""
        for size in (60_000, 60_001):
            connection = self.connect()
            connection.send(HEAD + b"Content-Length: %d\r\n\r\n" % size)
            self.drip(connection, b"x" * 600, seconds=1, count=100)
            self.assertFalse(connection.tcp.disconnecting)
        self.assertEqual(self.page.sizes, [60_000])
        self.clock.pump([10] * 5)
        self.assert_late(connection, "body_timeout")

    def test_answers(self) -> None:
        """Nothing is late that waits for us: an answer, a poll, a WebSocket."""
        poll, websocket = self.connect(), self.connect()
        poll.request("POST", "/echo/000/a/xhr_streaming")
        self.assertEqual(websocket.request("GET", "/echo/websocket", UPGRADE).status, 101)
        self.clock.pump([5, 5, 4])
        self.assertFalse(poll.tcp.disconnecting or websocket.tcp.disconnecting)
        self.assertEqual(self.refused, [])

    def test_client_that_does_not_read(self) -> None:
        """The half of a request that is not read, for its answers are not, is not late."""
        connection = self.connect()
        connection.tcp.reading = False
        for _ in range(100):
            connection.send(HEAD + b"Content-Length: 0\r\n\r\n")
        connection.send(HEAD)
        self.clock.pump([9, 9])
        self.assertEqual(self.refused, [])

    def test_new_limits(self) -> None:
        """Others hold for the connections after them."""
        self.site.limits = SiteLimits(max_body=1, head_timeout=2)
        connection = self.connect()
        self.clock.pump([2, 0])
        self.assertTrue(connection.tcp.disconnecting)

    def test_bad_options(self) -> None:
        """A limit must be positive."""
        for name in ("head_timeout", "body_timeout", "body_rate", "idle_timeout"):
            for bad in (0, -1, "x", True):
                with self.assertRaisesRegex(InvalidOption, name):
                    SiteLimits(max_body=1, **{name: bad})


class Scarce(Descriptors):
    """A process that can open few more."""

    limit = 100  # type: ignore[assignment]
    open = 10

    def are_few(self) -> bool:
        return self.open > 90


class NumberTests(SiteTestCase):
    """How many connections there may be."""

    limits = SiteLimits(max_body=1000, connections=30, connections_per_address=20)

    def fill(self, count: int, host: str = "10.0.0.1") -> list[Connection]:
        """So many connections of an address."""
        return [self.connect(host) for _ in range(count)]

    def is_refused(self, host: str) -> bool:
        """Whether a newcomer of that address is turned away."""
        return isinstance(self.site.buildProtocol(IPv4Address("TCP", host, 1)), TurnedAway)

    def test_per_address(self) -> None:
        """One address has its share; what it gives up it may have again."""
        for _ in range(2):
            opened = self.fill(20)
            self.assertTrue(self.is_refused("10.0.0.1"))
            self.assertFalse(self.is_refused("10.0.0.2"))
            opened[0].drop()
            opened.append(self.connect())
            self.assertTrue(self.is_refused("10.0.0.1"))
            for connection in opened[1:]:
                connection.drop()
        self.assertEqual(self.refused, ["connections_per_address"] * 4)

    def test_proxies(self) -> None:
        """A trusted proxy has as many as there are."""
        self.fill(30, "10.9.0.1")
        self.assertTrue(self.is_refused("10.9.0.1"))
        self.assertEqual(self.refused, ["connections"])

    def test_oldest_gives_way(self) -> None:
        """The oldest without a head goes for a newcomer, after a second; others stay."""
        keeps = self.connect()
        self.assertEqual(keeps.request("POST", "/page", body=b"x").status, 200)
        first, *_ = self.fill(15)
        first.send(HEAD)
        self.fill(14, "10.0.0.2")
        self.assertTrue(self.is_refused("10.0.0.3"))
        self.clock.pump([1.5])
        newcomer = self.connect("10.0.0.3")
        self.clock.advance(0)
        self.assertTrue(first.tcp.lost)
        self.assertEqual(newcomer.request("POST", "/page", body=b"x").status, 200)
        self.assertFalse(keeps.tcp.lost)
        self.assertEqual(len(self.site.connections), 30)

    def test_descriptors(self) -> None:
        """
        With few left newcomers are turned away, the oldest without a head is dropped, and the
        log says so once a minute.  One address never gets more than half of them.
        """
        scarce = self.site._descriptors = Scarce()
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.fill(2)
        self.clock.pump([2])
        scarce.open = 91
        for _ in range(5):
            self.assertTrue(self.is_refused("10.0.0.2"))
        self.clock.pump([30, 30])
        self.assertTrue(self.is_refused("10.0.0.2"))
        scarce.open = 90
        self.assertFalse(self.is_refused("10.0.0.2"))
        counts = [event["count"] for event in logged if event.get("reason") == "descriptors"]
        self.assertEqual(counts, [1, 5])
        self.assertEqual(self.refused.count("descriptors"), 6)
        scarce.limit = 24
        self.fill(12, "10.0.0.5")
        self.assertTrue(self.is_refused("10.0.0.5"))

    def test_bodies(self) -> None:
        """Of one address only so many bytes are on their way, or worked on, at a time."""
        self.site.limits = SiteLimits(max_body=1000, bodies_per_address=2500)
        head = b"POST /page HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"
        for _ in range(2):
            opened = self.fill(3)
            for connection in opened:
                connection.send(head + b"x" * 900)
            self.assertEqual(opened[2].response().status, 503)
            self.assertEqual(self.refused, ["bodies_per_address"])
            other = self.connect("10.0.0.2")
            other.send(head + b"x" * 1000)
            self.assertEqual(other.response().status, 200)
            opened[0].send(b"x" * 100)
            self.assertEqual(opened[0].response().status, 200)
            for connection in (*opened, other):
                connection.drop()
            self.refused.clear()
            self.clock.pump([1] * 30)
        self.assertEqual(dict(self.site._body_bytes), {})

    def test_large_bodies(self) -> None:
        """
        More than 8 KiB of a body are in a temporary file.  One address has an eighth of the
        descriptors for them, and nobody has one when few are left; small bodies need none.
        """
        scarce = self.site._descriptors = Scarce()
        self.site.limits = SiteLimits(max_body=100_000)
        head = b"POST /page HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"2000\r\n" + b"x" * 8192 + b"\r\n"
        opened = self.fill(20)
        for connection in opened:
            connection.send(head + chunk)
        for connection in opened[:12]:
            connection.send(chunk)
        self.assertEqual(self.refused, [])
        opened[12].send(chunk)
        self.assertEqual(opened[12].response().status, 503)
        self.assertEqual(self.refused, ["temporary_files"])
        other = self.connect("10.0.0.2")
        self.assertEqual(other.request("POST", "/page", body=b"x" * 9000).status, 200)
        other.take()
        opened[0].send(b"0\r\n\r\n")
        opened[1].drop()
        for connection in opened[13:15]:
            connection.send(chunk)
        self.assertEqual(len(self.refused), 1)
        scarce.open = 91
        self.assertEqual(other.request("POST", "/page", body=b"x" * 9000).status, 503)
        opened[15].send(b"0\r\n\r\n")
        self.assertEqual(opened[15].response().status, 200)
        self.assertEqual(self.page.sizes, [9000, 16384, 8192])
        for connection in opened:
            connection.drop()
        self.assertEqual(dict(self.site._files), {})

    def test_no_file(self) -> None:
        """Where no temporary file can be written, as the disk is full, a large body gets 503."""

        def full(*_: object) -> None:
            raise OSError(ENOSPC, "No space left on device")

        self.site.limits = SiteLimits(max_body=100_000)
        for broken in (full, lambda: SimpleNamespace(write=full, close=lambda: None)):
            self.patch(bounded_request, "TemporaryFile", broken)
            self.assertEqual(self.connect().request("POST", "/page", body=b"x" * 9000).status, 503)
            self.assertEqual(self.connect().request("POST", "/page", body=b"x" * 8000).status, 200)
        self.assertEqual(self.refused, ["temporary_files"] * 2)


class DescriptorsTests(SynchronousTestCase):
    """The process's own."""

    def test_now(self) -> None:
        """There are many, as a rule; a site that keeps all of them gives none."""
        self.assertFalse(Descriptors().are_few())
        self.assertTrue(Descriptors(reserve=1e9).are_few())
        self.assertGreater(Descriptors().limit, 10)


class ClientRatesTests(SynchronousTestCase):
    """A rate for each address."""

    def test_rates(self) -> None:
        """Each has its own, which fills again; clients of a UNIX socket have none."""
        clock = Clock()
        rates = ClientRates(2, 3, clock.seconds)
        first, second = (IPv4Address("TCP", f"10.0.0.{number}", 1) for number in (1, 2))
        for _ in range(2):
            self.assertEqual([rates.take(first) for _ in range(4)], [True] * 3 + [False])
            self.assertTrue(rates.take(second))
            clock.advance(1.5)

    def test_bounded(self) -> None:
        """Addresses are forgotten, those that were not seen for longest first."""
        rates = ClientRates(1, 1, Clock().seconds)
        addresses = [
            IPv4Address("TCP", f"10.{a}.{b}.1", 1) for a in range(101) for b in range(100)
        ]
        for address in addresses:
            self.assertTrue(rates.take(address))
        self.assertFalse(rates.take(addresses[-1]))
        self.assertTrue(rates.take(addresses[0]))
