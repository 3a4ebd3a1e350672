"""
The URLs of no session: the suite's ``BaseUrlGreeting``, ``IframePage`` and ``InfoTest``.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource
from zope.interface.verify import verifyObject

from txtokensock.errors import InvalidOption
from txtokensock.sockjs import SockJSOptions, SockJSResource, same_origin

from .support import Recorders, Server

NOT_CACHED = "no-store, no-cache, no-transform, must-revalidate, max-age=0"


class GreetingTests(SynchronousTestCase):
    """The base URL, and what is not there."""

    def test_greeting(self) -> None:
        """With and without a slash at its end."""
        for path in ("", "/"):
            response = Server().request("GET", path)
            self.assertEqual(response.status, 200)
            self.assertEqual(response.headers["content-type"], "text/plain; charset=UTF-8")
            self.assertEqual(response.body, b"Welcome to SockJS!\n")

    def test_head(self) -> None:
        """HEAD tells the length and sends nothing."""
        response = Server().request("HEAD", "/")
        self.assertEqual(response.headers["content-length"], "19")
        self.assertEqual(response.body, b"")

    def test_not_found(self) -> None:
        """Other paths are 404."""
        for path in ("/a", "/a.html", "//", "///", "/a/a", "/a/a/", "/a/", "/a/a/a", "/%ff"):
            self.assertEqual(Server().request("GET", path).status, 404, path)

    def test_bad_names(self) -> None:
        """A server's and a session's name is not empty, and has no dot."""
        for path in ("//", "/a./a", "/a/a.", "/./.", "/", "///"):
            for method in ("GET", "POST"):
                self.assertEqual(Server().request(method, path + "/xhr").status, 404, path)

    def test_method(self) -> None:
        """405 names what is allowed, and has no content type."""
        response = Server().request("POST", "/info")
        self.assertEqual(response.status, 405)
        self.assertEqual(response.headers["allow"], "GET, HEAD, OPTIONS")
        self.assertNotIn("content-type", response.headers)

    def test_resource(self) -> None:
        """It is a leaf, and says so to who tries to put something below it."""
        resource = Server().resource
        verifyObject(IResource, resource)
        self.assertTrue(resource.isLeaf)
        self.assertIs(resource.getChildWithDefault(b"a", None), resource)
        self.assertRaises(TypeError, resource.putChild, b"a", resource)
        self.assertEqual(repr(resource), "<SockJSResource with 0 sessions>")


class IframeTests(SynchronousTestCase):
    """The page that transports of old browsers run in."""

    def test_page(self) -> None:
        """With any version in its name and any query, and cached for a year."""
        for path in ("iframe.html", "iframe-.html", "iframe-0.1.2abc-dirty.2144.html?t=1"):
            response = Server().request("GET", "/" + path)
            self.assertEqual(response.status, 200)
            self.assertEqual(response.headers["content-type"], "text/html; charset=UTF-8")
            self.assertEqual(response.headers["cache-control"], "public, max-age=31536000")
            self.assertIn("expires", response.headers)
            self.assertNotIn("last-modified", response.headers)
            self.assertIn(b"SockJS.bootstrap_iframe();", response.body)
            self.assertRegex(response.body, rb'<script src="https://[^"]+" integrity="')

    def test_not_the_page(self) -> None:
        """Names are lower case, and end in .html."""
        for path in ("iframe.htm", "iframe", "IFRAME.HTML", "iframe.xml", "iframe-/.html"):
            self.assertEqual(Server().request("GET", "/" + path).status, 404)

    def test_cached(self) -> None:
        """Who has it gets 304, with neither type nor length."""
        server = Server()
        etag = server.request("GET", "/iframe.html").headers["etag"]
        response = server.request("GET", "/iframe.html", {"If-None-Match": etag})
        self.assertEqual(response.status, 304)
        self.assertNotIn("content-type", response.headers)
        self.assertNotIn("content-length", response.headers)
        self.assertEqual(response.body, b"")

    def test_url(self) -> None:
        """The client's URL is written into the page as text, and counts for the ETag."""
        first = Server(sockjs_url='/a.js?"><script>').request("GET", "/iframe.html")
        self.assertIn(b'src="/a.js?&quot;&gt;&lt;script&gt;"', first.body)
        second = Server(sockjs_url="/b.js").request("GET", "/iframe.html")
        self.assertNotEqual(first.headers["etag"], second.headers["etag"])

    def test_digest(self) -> None:
        """By default it is one version, and a browser runs no other file in its place."""
        page = Server().request("GET", "/iframe.html").body.decode()
        self.assertIn("sockjs-client@1.6.1/dist", page)
        self.assertRegex(page, r'js" integrity="sha384-[\w+/]{64}" crossorigin="anonymous"></scr')
        other = Server(sockjs_url="/b.js").request("GET", "/iframe.html").body
        self.assertNotIn(b"integrity", other)

    def test_own_copy(self) -> None:
        """``sockjs_client_file`` is served beside the page, which loads it and nothing else."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "client.js"
        path.write_text("SockJS = 1;\n", encoding="utf-8")
        server = Server(sockjs_client_file=str(path))
        page = server.request("GET", "/iframe.html").body
        self.assertIn(b'<script src="sockjs-client.js"></script>', page)
        script = server.request("GET", "/sockjs-client.js")
        self.assertEqual((script.status, script.body), (200, b"SockJS = 1;\n"))
        self.assertEqual(script.headers["content-type"], "text/javascript; charset=UTF-8")
        again = server.request(
            "GET", "/sockjs-client.js", {"If-None-Match": script.headers["etag"]}
        )
        self.assertEqual(again.status, 304)
        self.assertEqual(Server().request("GET", "/sockjs-client.js").status, 404)


class InfoTests(SynchronousTestCase):
    """What is on offer."""

    def test_info(self) -> None:
        """The facts, uncached, readable by every page."""
        response = Server().request("GET", "/info", {"Origin": "test"})
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["content-type"], "application/json; charset=UTF-8")
        self.assertEqual(response.headers["cache-control"], NOT_CACHED)
        self.assertEqual(response.headers["access-control-allow-origin"], "test")
        self.assertEqual(response.headers["access-control-allow-credentials"], "true")
        facts = json.loads(response.body)
        entropy = facts.pop("entropy")
        self.assertTrue(0 <= entropy < 2**32)
        self.assertEqual(facts, {"websocket": True, "origins": ["*:*"], "cookie_needed": False})

    def test_entropy(self) -> None:
        """It is never the same."""
        server = Server()
        self.assertEqual(len({server.request("GET", "/info").body for _ in range(20)}), 20)

    def test_no_origin(self) -> None:
        """Without an origin everybody may read it, without cookies."""
        response = Server().request("GET", "/info")
        self.assertEqual(response.headers["access-control-allow-origin"], "*")
        self.assertNotIn("access-control-allow-credentials", response.headers)

    def test_preflight(self) -> None:
        """OPTIONS says what is allowed, for a year; headers are allowed as asked for."""
        for origin in ("test", "null"):
            response = Server().request(
                "OPTIONS", "/info", {"Origin": origin, "Access-Control-Request-Headers": "a, b"}
            )
            self.assertEqual(response.status, 204)
            self.assertEqual(response.body, b"")
            self.assertEqual(response.headers["access-control-allow-origin"], origin)
            self.assertEqual(response.headers["access-control-allow-methods"], "OPTIONS, GET")
            self.assertEqual(response.headers["access-control-allow-headers"], "a, b")
            self.assertEqual(response.headers["access-control-max-age"], "31536000")
            self.assertIn("public", response.headers["cache-control"])
            self.assertIn("expires", response.headers)


class OriginTests(SynchronousTestCase):
    """``allowed_origins``."""

    paths = (
        ("GET", ""),
        ("GET", "/iframe.html"),
        ("GET", "/info"),
        ("OPTIONS", "/info"),
        ("POST", "/a/a/xhr"),
        ("OPTIONS", "/a/a/xhr"),
        ("POST", "/a/a/xhr_streaming"),
        ("POST", "/a/a/xhr_send"),
        ("GET", "/a/a/eventsource"),
        ("GET", "/a/a/htmlfile?c=a"),
        ("GET", "/a/a/jsonp?c=a"),
        ("POST", "/a/a/jsonp_send"),
    )

    def test_listed(self) -> None:
        """A page of another origin gets 403 everywhere, and cannot read even that."""
        for method, path in self.paths:
            server = Server(allowed_origins={"https://good.example"})
            response = server.request(method, path, {"Origin": "https://evil.example"})
            self.assertEqual(response.status, 403, path)
            self.assertNotIn("access-control-allow-origin", response.headers)
            good = server.request(method, path, {"Origin": "https://good.example"})
            self.assertNotEqual(good.status, 403, path)
        self.assertEqual(server.protocols[1:], [])

    def test_websocket(self) -> None:
        """So does a WebSocket, before it is opened."""
        server = Server(allowed_origins=["https://good.example"])
        self.assertEqual(server.upgrade(Origin="https://evil.example").response().status, 403)
        self.assertEqual(server.upgrade(Origin="null").response().status, 403)
        self.assertEqual(server.protocols, [])
        self.assertEqual(server.upgrade(Origin="https://good.example").response().status, 101)
        self.assertEqual(server.upgrade().response().status, 101)

    def test_callable(self) -> None:
        """A callable decides on the request; one that raises refuses."""
        server = Server(
            allowed_origins=lambda request, origin: origin == str(request.path, "ascii")
        )
        self.assertEqual(server.request("GET", "/info", {"Origin": "/echo/info"}).status, 200)
        self.assertEqual(server.request("GET", "/info", {"Origin": "other"}).status, 403)
        server = Server(allowed_origins=lambda request, origin: 1 / 0)
        self.assertEqual(server.request("GET", "/info", {"Origin": "other"}).status, 403)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_script(self) -> None:
        """Scripts are loaded without an Origin: there the page's address counts."""
        server = Server(allowed_origins={"https://good.example"})
        for headers, status in (
            ({"Referer": "https://good.example/page"}, 200),
            ({"Referer": "https://evil.example/page"}, 403),
            ({"Referer": "https://[broken"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-origin"}, 200),
            ({}, 200),
        ):
            session = f"/a/{len(server.protocols)}"
            response = server.request("GET", session + "/jsonp?c=a", headers)
            self.assertEqual(response.status, status, headers)

    def test_same_origin(self) -> None:
        """The ready-made policy: what the Host header names."""
        server = Server(allowed_origins=same_origin)
        for origin, status in (
            ("http://example.com", 200),
            ("http://EXAMPLE.com:80", 200),
            ("https://example.com", 403),
            ("http://example.com:81", 403),
            ("http://evil.example", 403),
            ("null", 403),
            ("http://[", 403),
            ("http://example.com:port", 403),
        ):
            response = server.request("GET", "/info", {"Origin": origin})
            self.assertEqual(response.status, status, origin)
        self.flushWarnings()

    def test_default(self) -> None:
        """SockJS is made for pages of all origins; None is the server's own alone."""
        foreign = {"Origin": "http://evil.example"}
        self.assertEqual(Server().request("GET", "/info", foreign).status, 200)
        self.assertEqual(Server(allowed_origins=None).request("GET", "/info", foreign).status, 403)

    def test_wrong_option(self) -> None:
        """One text is no collection of origins."""
        for wrong in ("https://good.example", 1):
            with self.assertRaises(InvalidOption):
                Server(allowed_origins=wrong)


class OptionTests(SynchronousTestCase):
    """What cannot be set is refused, by name."""

    def test_whole(self) -> None:
        """All options in one piece, and some in place of those."""
        options = SockJSOptions(websocket=False, cookie_needed=True)
        whole = SockJSResource(Recorders(), options, reactor=Clock())
        changed = SockJSResource(Recorders(), options, reactor=Clock(), websocket=True)
        for resource, websocket in ((whole, False), (changed, True)):
            server = Server()
            server.site.resource.putChild(b"echo", resource)
            facts = json.loads(server.request("GET", "/info").body)
            self.assertEqual((facts["websocket"], facts["cookie_needed"]), (websocket, True))

    def test_unknown(self) -> None:
        """A misspelt name is an error."""
        for wrong in (SockJSOptions, lambda **options: SockJSResource(Recorders(), **options)):
            with self.assertRaises(TypeError):
                wrong(heartbeats=1.0)

    def test_wrong(self) -> None:
        """Each option checks its value."""
        for name, value in (
            ("heartbeat", 0),
            ("heartbeat_timeout", -1),
            ("disconnect_delay", "5"),
            ("close_timeout", float("inf")),
            ("response_limit", 0),
            ("max_message_size", 1.5),
            ("max_buffered", None),
            ("max_array_length", 0),
            ("max_sessions", True),
            ("max_sessions_per_address", "1"),
            ("sockjs_url", ""),
            ("allowed_origins", "http://a.example"),
        ):
            error = self.assertRaises(InvalidOption, Server, **{name: value})
            self.assertIn(name, str(error))

    def test_global_reactor(self) -> None:
        """Without a reactor it is the global one."""
        from twisted.internet import reactor

        resource = SockJSResource(Recorders())
        self.assertIs(resource._table.reactor, reactor)

    def test_close_code(self) -> None:
        """close_sessions takes what a WebSocket can carry."""
        resource = Server().resource
        for code, reason in ((1001, ""), (2999, ""), (5000, ""), (3000, "ä" * 62)):
            self.assertRaises(InvalidOption, resource.close_sessions, code, reason)
        self.assertFalse(resource._table.closed)


class NothingSecretTests(SynchronousTestCase):
    """Cookies and queries stay where they came from."""

    def test_repr(self) -> None:
        """No repr of a session, its transport or the resource shows them."""
        server = Server()
        server.open("POST", "/a/a/xhr_streaming?token=secret", {"Cookie": "a=secret"})
        transport = server.protocols[0].transport
        for thing in (transport, transport._session, transport.request_info, server.resource):
            self.assertIsNone(re.search("secret", repr(thing)))
