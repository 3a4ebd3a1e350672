"""
What holds for every site of ours: nothing that a request says of itself breaks it, keeps it
busy, or gets its query into a log.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

import txtokensock
from tests.kit.http import Response
from tests.kit.site_client import Connection
from txtokensock.bridge.config.http import HttpConfig
from txtokensock.bridge.http.bridge_site import bridge_site
from txtokensock.server import TokenSocketServer
from txtokensock.tap import Options, makeService
from txtokensock.testing import MemoryServer

PACKAGE = Path(txtokensock.__file__).parent

BOUNDARY = {"Content-Type": "multipart/form-data; boundary=x"}
FORM = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--\r\n"


class Page(Resource):
    """Keeps what it gets of each request: fields and body."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[Any, bytes]] = []

    def render(self, request: Any) -> bytes:
        self.requests.append((request.args, request.content.read()))
        return b"here"


class Served:
    """
    A site, and its clock.

    :param path: what it has a page at.
    """

    def __init__(self, site: Any, clock: Any, path: str) -> None:
        self.site = site
        self.clock = clock
        self.path = path

    def request(self, method: str, path: str, *rest: Any) -> Response:
        """A request of a new client."""
        return Connection(self, "10.0.0.1").request(method, path, *rest)

    def answer(self, request: bytes) -> Response:
        """The answer to what a new client sends."""
        connection = Connection(self, "10.0.0.1")
        connection.send(request)
        return connection.response()


def of_serve() -> dict[str, Served]:
    """The sites of ``twistd tokensock serve``."""
    reactor = MemoryReactorClock()
    options = Options()
    options.parseOptions(["serve", "--admin", "tcp:2:interface=127.0.0.1"])
    service: Any = makeService(options, reactor)
    service.privilegedStartService()
    public, admin = [site for _, site, _, _ in reactor.tcpServers]
    return {
        "serve": Served(public, reactor, "/socket/token"),
        "serve --admin": Served(admin, reactor, "/healthz"),
    }


def sites(page: Resource) -> dict[str, Served]:
    """Every site of ours; where it can be, ``page`` is what answers."""
    clock = Clock()
    server = TokenSocketServer(lambda request: True, reactor=clock)
    memory = MemoryServer(lambda clock: TokenSocketServer(lambda request: True, reactor=clock))
    return {
        "server.site()": Served(server.site(page), clock, "/page"),
        "testing": Served(memory.network._factory, memory.clock, "/socket/token"),
        "bridge": Served(bridge_site(page, HttpConfig(body_limit=1000), clock), clock, "/page"),
        **of_serve(),
    }


class RequestsTests(SynchronousTestCase):
    """Requests as nobody should send them."""

    def setUp(self) -> None:
        self.page = Page()
        self.sites = sites(self.page)

    def test_forms(self) -> None:
        """A form is a body like any other: who wants its fields reads it."""
        for name, served in self.sites.items():
            served.request("POST", f"{served.path}?c=1", BOUNDARY, FORM)
            encoded = {"Content-Type": "application/x-www-form-urlencoded"}
            served.request("POST", f"{served.path}?c=1", encoded, b"a=b")
            bodies, self.page.requests = self.page.requests, []
            if served.path == "/page":
                args = {b"c": [b"1"]}
                self.assertEqual(bodies, [(args, FORM), (args, b"a=b")], name)

    def test_content_types(self) -> None:
        """Whatever the content type, the request is answered."""
        for name, served in self.sites.items():
            status = 200 if served.path == "/page" else 405
            for kind in (
                *(b"\x85", b"a/b\x85; c=d", b"multipart/form-data\x0b; boundary=x"),
                *(b"multipart/form-data", b'multipart/form-data; boundary="', b";" * 8000),
                b"application/x-www-form-urlencoded\x85",
            ):
                head = f"POST {served.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
                response = served.answer(head.encode() + b"Content-Type: %s\r\n\r\nx" % kind)
                self.assertEqual(response.status, status, (name, kind))

    def test_lengths(self) -> None:
        """A length with more digits than Python takes is a bad request."""
        for name, served in self.sites.items():
            head = f"POST {served.path} HTTP/1.1\r\nHost: x\r\nContent-Length: "
            for rest in (b"\r\n\r\n", b"\r\nX: y\r\n\r\n"):
                response = served.answer(head.encode() + b"9" * 5000 + rest)
                self.assertEqual(response.status, 400, name)
        self.assertEqual(self.page.requests, [])

    def test_targets_that_are_not_ascii(self) -> None:
        """For some of them twisted.web would log a traceback, and answer 500."""
        for name, served in self.sites.items():
            status = 200 if served.path == "/page" else 405
            request = f"POST {served.path}?".encode() + b"\x85 HTTP/1.1\r\nHost: x\r\n\r\n"
            self.assertEqual(served.answer(request).status, status, name)

    def test_bodies(self) -> None:
        """Every site has a limit for them."""
        for name, served in self.sites.items():
            head = f"POST {served.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
            connection = Connection(served, "10.0.0.1")
            connection.send(head.encode())
            for _ in range(1700):
                if connection.tcp.disconnecting:
                    break
                connection.send(b"x" * 64 * 1024)
            self.assertEqual(connection.response().status, 413, name)

    def test_chunks(self) -> None:
        """Who sends too many at once is told so once."""
        for name, served in self.sites.items():
            head = f"POST {served.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            connection = Connection(served, "10.0.0.1")
            connection.send(head.encode() + b"fff\r\n%s\r\n" % (b"x" * 0xFFF) * 1100)
            self.assertEqual(connection.take().count(b"HTTP/1.1 413 "), 1, name)

    def test_every_site(self) -> None:
        """Nothing here makes a site of its own that would have to be on this list."""
        made = [
            path.relative_to(PACKAGE).as_posix()
            for path in PACKAGE.rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if (isinstance(node, ast.Call) and ast.unparse(node.func) in ("Site", "server.Site"))
            or (isinstance(node, ast.ClassDef) and "Site" in map(ast.unparse, node.bases))
        ]
        self.assertEqual(made, ["web/server/site.py"])


SECRET = "hunter2"
QUERY = f"?user=ada&password={SECRET}"


class Faulty(Resource):
    """What Twisted complains of in the log, with the request."""

    def getChild(self, path: bytes, request: Any) -> Resource:
        return self

    def render(self, request: Any) -> bytes:
        if request.path == b"/raises":
            raise RuntimeError(f"cannot serve {request}")
        if request.path == b"/produces":
            request.registerProducer(self, True)
        return b"here"

    def stopProducing(self) -> None:
        """The client goes."""


class LogTests(SynchronousTestCase):
    """Queries hold credentials: they are in no log."""

    def setUp(self) -> None:
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.sites = sites(Faulty())
        for served in self.sites.values():
            served.site.startFactory()
            self.addCleanup(served.site.stopFactory)

    def lines(self) -> list[str]:
        """All that was logged, each event as text and as it is."""
        return [f"{formatEvent(event)} {event!r}" for event in self.logged]

    def test_every_answer(self) -> None:
        """Whatever the path and the method."""
        for served in self.sites.values():
            for path in ("/socket/token", "/socket/tokens", "/socket/token/x", "/sockets/info"):
                for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE", "BREW"):
                    served.request(method, path + QUERY)
                    served.request(method, path + "#x" + QUERY)
                    served.request(method, f"http://x{path}{QUERY}")
                    served.request(method, path + QUERY.replace("?", "%3F"))
            for path in ("/", "//", "/healthz", "/metrics", "/sockets/0/0/xhr", "*", "x"):
                served.request("GET", path + QUERY)
                served.request("OPTIONS", path + QUERY)
                served.request("POST", path + QUERY)
            for version in ("HTTP/1.0", "HTTP/1.1", "HTTP/9", ""):
                for header in ("", "Host: x\r\n", "malformed\r\n", "Content-Length: x\r\n"):
                    request = f"GET /socket/token{QUERY} {version}\r\n{header}\r\n"
                    served.answer(request.encode())
        logged = [line for line in self.lines() if SECRET in line]
        self.assertEqual(logged, [])
        text = "".join(self.lines())
        for line in (
            '"OPTIONS /socket/token HTTP/1.1" 204',
            '"GET /socket/token HTTP/1.1" 200',
            '"DELETE /socket/token HTTP/1.1" 405',
            '"GET /socket/tokens HTTP/1.1" 404',
        ):
            self.assertIn(line, text)

    def test_referrer(self) -> None:
        """The page that a request comes from has a query as well."""
        for served in self.sites.values():
            for referrer in (f"http://x/page{QUERY}", f"http://x/page#{SECRET}", QUERY):
                served.request("GET", "/socket/token", {"Referer": referrer, "User-Agent": "me"})
        self.assertEqual([line for line in self.lines() if SECRET in line], [])
        self.assertIn('"http://x/page" "me"', "".join(self.lines()))

    def test_complaints(self) -> None:
        """Twisted's own, where a page fails."""
        for name, served in self.sites.items():
            if served.path == "/page":
                for start in ("GET /raises", "GET /produces", "HEAD /page"):
                    for query in (QUERY, QUERY + "\x85"):
                        request = f"{start}{query} HTTP/1.1\r\nHost: x\r\n\r\n"
                        served.answer(request.encode("latin-1"))
                self.assertEqual(len(self.flushLoggedErrors()), 4, name)
        self.assertEqual([line for line in self.lines() if SECRET in line], [])
        self.assertIn("Request HEAD /page>", "".join(self.lines()))
