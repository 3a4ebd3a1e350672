"""
The API of the admin pages.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.web.resource import Resource

from tests.kit.http import request
from txtokensock.server import SHARED_WITH_NODE, MemoryStore, RedisStore
from txtokensock.server.ops.admin import AdminPages, admin_site

from ..support import ServerTestCase, TokenServer

NOBODY = {"peers": 0, "servers": 2, "silent": 0}


class AdminAPITests(ServerTestCase):
    """Two servers that share a store, and the pages of one."""

    def setUp(self) -> None:
        super().setUp()
        self.clock, store = Clock(), MemoryStore()
        self.one, self.two = (self.serve(store=store, clock=self.clock) for _ in range(2))
        self.pages = self.paged(self.one)

    def paged(self, server: TokenServer) -> AdminPages:
        """The pages of a server, which are asked from now on."""
        pages = AdminPages(server.service, Resource, server.clock)
        pages.key = "k3y"
        self.stranger = TokenServer(start=False, clock=server.clock)
        self.stranger.site = admin_site(pages, server.clock, timeout=None)
        return pages

    def ask(
        self, method: str, path: str, body: Any = None, key: str | None = "k3y"
    ) -> tuple[int, Any]:
        """A request; gives the status and the body of its answer."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = self.stranger.connection()
        response = connection.request(
            method, f"/api/{path}", headers, b"" if method == "GET" else text
        )
        is_json = "json" in response.headers.get("content-type", "")
        return response.status, json.loads(response.body) if is_json else response.body

    def test_publish(self) -> None:
        """The peers of both servers hear it."""
        clients = [server.authenticated() for server in (self.one, self.two)]
        for client in clients:
            client.subscribe("c")
        answer = self.ask("POST", "publish", {"channel": "c", "data": {"n": None}})
        self.assertEqual(answer, (200, {}))
        for client in clients:
            self.assertEqual(client.received(), [{"channel": "c", "message": {"n": None}}])

    def test_presence(self) -> None:
        """Who is subscribed, on both servers."""
        for server in (self.one, self.two):
            server.authenticated().subscribe("c ü")
        status, answer = self.ask("GET", "presence?channel=c%20%C3%BC&limit=1")
        self.assertEqual((status, answer["count"], answer["servers"]), (200, 2, 2))
        self.assertEqual(answer["identities"], [{"user": "ada"}])
        _, answer = self.ask("GET", "presence?channel=c%20%C3%BC")
        self.assertEqual(len(answer["identities"]), 2)

    def test_deep_identities(self) -> None:
        """Identities are shown as they are, however deep."""
        deep: Any = "x"
        for _ in range(600):
            deep = {"a": deep}
        self.one.authenticated().subscribe("c")
        identity = self.one.service.peers()[0].auth
        assert isinstance(identity, dict)
        identity["deep"] = deep
        status, answer = self.ask("GET", "presence?channel=c")
        self.assertEqual((status, answer["identities"]), (200, [identity]))

    def test_close(self) -> None:
        """The peers of an identity are closed on both servers."""
        for body, closed in (
            ({"match": {"user": "ada"}}, (4410, "Closed by the application")),
            ({"match": {}, "reason": "x", "code": 3001}, (3001, "x")),
        ):
            client = self.two.authenticated()
            self.assertEqual(self.ask("POST", "close", {"match": {"user": "bob"}}), (200, NOBODY))
            self.assertEqual(self.ask("POST", "close", body), (200, NOBODY | {"peers": 1}))
            client.texts()
            self.assertEqual(client.closed, closed)

    def test_key(self) -> None:
        """Nobody acts without it; and where there is none, nobody does at all."""
        client = self.two.authenticated()
        for key in (None, "wrong", ""):
            self.assertEqual(self.ask("POST", "close", {"match": {}}, key)[0], 401)
        self.pages.key = None
        for key in (None, "k3y"):
            status, answer = self.ask("POST", "close", {"match": {}}, key)
            self.assertEqual(status, 403)
            self.assertIn("--admin-key-file", answer["error"])
        client.texts()
        self.assertIsNone(client.closed)

    def test_mistakes(self) -> None:
        """Each is answered with what is wrong, and does nothing."""
        client = self.two.authenticated()
        client.subscribe("c")
        for method, path, body, status, text in (
            ("POST", "close", b"", 400, "JSON|truncated"),
            ("POST", "close", b"\xff", 400, "."),
            ("POST", "close", b"[" * 20_000, 400, "."),
            ("POST", "close", {}, 400, "match"),
            ("POST", "close", {"match": None}, 400, "match"),
            ("POST", "close", {"match": {}, "resaon": "x"}, 400, "resaon"),
            ("POST", "close", {"match": {}, "code": 1001}, 400, "1001"),
            ("POST", "publish", {"channel": "c"}, 400, "data"),
            ("POST", "publish", {"channel": "___all___", "data": 1}, 400, "___all___"),
            ("GET", "presence", None, 400, "channel=NAME"),
            ("GET", "presence?channel=c&limt=1", None, 400, "channel=NAME"),
            ("GET", "presence?channel=", None, 400, "."),
            ("GET", "presence?channel=c&limit=-1", None, 400, "whole number"),
            ("GET", "presence?channel=c&limit=99999", None, 400, "10000"),
        ):
            found, answer = self.ask(method, path, body)
            self.assertEqual(found, status, (path, body))
            self.assertRegex(answer["error"], text)
        for method, path, status in (
            ("GET", "close", 405),
            ("GET", "publish", 405),
            ("POST", "presence", 405),
            ("POST", "close/", 404),
            ("POST", "close/x", 404),
            ("GET", "", 404),
            ("POST", "rpc", 404),
        ):
            self.assertEqual(self.ask(method, path, {"match": {}})[0], status, path)
        self.assertEqual(self.ask("POST", "close", b" " * 70_000)[0], 413)
        self.assertEqual((client.received(), client.closed), ([], None))

    def test_not_running(self) -> None:
        """While the server does not run, it can do nothing."""
        self.successResultOf(self.one.service.stopService())
        for method, path, body in (
            ("POST", "publish", {"channel": "c", "data": 1}),
            ("POST", "close", {"match": {}}),
            ("GET", "presence?channel=c", None),
        ):
            status, answer = self.ask(method, path, body)
            self.assertEqual((status, answer), (503, {"error": "the server is not running"}))

    def test_shared_layout(self) -> None:
        """What needs a namespace says so."""
        clock = MemoryReactorClock()
        endpoint = TCP4ClientEndpoint(clock, "127.0.0.1", 6379)
        store = RedisStore(namespace=SHARED_WITH_NODE, endpoint=endpoint)
        self.paged(self.serve(store=store, clock=clock))
        status, answer = self.ask("POST", "close", {"match": {}})
        self.assertEqual(status, 400)
        self.assertIn("namespace", answer["error"])

    def test_late(self) -> None:
        """An answer that takes its time comes later; who has gone gets none."""
        self.two.service._hub.answer = lambda question, reply: None  # type: ignore[method-assign]
        gone, waiting = self.stranger.connection(), self.stranger.connection()
        headers = {"Authorization": "Bearer k3y"}
        for connection in (gone, waiting):
            connection.send(request("POST", "/api/close", headers, b'{"match":{}}'))
        gone.drop()
        self.assertEqual(waiting.tcp.value(), b"")
        self.clock.advance(5)
        self.assertIn(b'{"peers":0,"servers":1,"silent":1}', waiting.tcp.value())
        self.assertEqual(gone.tcp.value(), b"")

    def test_root(self) -> None:
        """There is nothing at the root of the API, nor below what can be done."""
        for path in ("", "publish/more"):
            self.assertEqual(self.ask("GET", path)[0], 404)

    def test_failure(self) -> None:
        """A mistake in the server is logged, and nothing of it is told."""

        async def fails(*_: object) -> None:
            raise ZeroDivisionError("secret")

        self.patch(self.one.service, "publish", fails)
        answer = self.ask("POST", "publish", {"channel": "c", "data": 1})
        self.assertEqual(answer, (500, {"error": "Internal error"}))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
