"""
What holds for every site of ours: nothing that a request says of itself breaks it, or keeps
it busy.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

import txtokensock
from tests.sockjs.server.http import Connection, Response
from txtokensock.bridge.http.bridge_site import site as bridge_site
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
        "bridge": Served(bridge_site(page, lambda: 1000, clock), clock, "/page"),
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
