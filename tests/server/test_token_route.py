"""
The token route, and the origins that may use it and the SockJS server.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import formatEvent
from twisted.web import pages
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.kit.http import Response
from txtokensock.errors import ActionError, InvalidOption, StoreUnavailable
from txtokensock.server import MemoryStore, TokenSocketServer, query

from .support import ServerTestCase, TokenServer

SECRET = "s3cret-password"

TOO_MANY = "Too many token requests: the limit tokens_per_second is 0.5"


class StatusTests(ServerTestCase):
    """What ``authentication`` says, and what the client is told."""

    def ask(self, outcome: Any, **options: Any) -> tuple[int, Any]:
        """Status and body where ``authentication`` is a function of no argument."""
        server = self.serve(authentication=lambda request: outcome(), **options)
        response = server.get("/socket/token")
        return response.status, json.loads(response.body)

    def test_accepted(self) -> None:
        """A mapping, an empty one, or True: now, as a Deferred, or from a coroutine."""

        async def coroutine() -> Any:
            return {"a": 1}

        for outcome in (dict, lambda: True, lambda: succeed({"a": None}), coroutine):
            status, body = self.ask(outcome)
            self.assertEqual((status, list(body)), (200, ["token"]))

    def test_too_many(self) -> None:
        """
        More requests of one address than the rate allows are answered 429 without a question
        to ``authentication``, also for its pages; and there is room again.
        """
        asked: list[Any] = []
        limits = {"tokens_per_second": 0.5, "token_burst": 3}
        server = self.serve(authentication=lambda request: asked.append(1) or True, limits=limits)
        for round in (1, 2):
            statuses = [server.get("/socket/token").status for _ in range(4)]
            self.assertEqual(statuses, [200, 200, 200, 429])
            self.assertEqual(len(asked), 3 * round)
            server.clock.pump([2] * 3)
        for _ in range(3):
            server.get("/socket/token")
        response = server.get("/socket/token")
        self.assertEqual(json.loads(response.body), {"error": TOO_MANY})
        self.assertEqual(response.headers["retry-after"], "2")

    def test_refused(self) -> None:
        """None and False are a 403."""
        for value in (None, False):
            self.assertEqual(self.ask(lambda value=value: value), (403, {"error": "Forbidden"}))

    def test_failed(self) -> None:
        """An exception is a 500 that tells strangers nothing, and is logged."""
        answer = (500, {"error": "Internal server error"})
        for outcome in (
            lambda: fail(KeyError(SECRET)),
            lambda: 1 / 0,
            lambda: "ada",
            list,
            lambda: 0,
            lambda: {"a": object()},
        ):
            self.assertEqual(self.ask(outcome), answer)
            self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_failed_on_purpose(self) -> None:
        """An ActionError is meant for the client."""
        outcome = lambda: fail(ActionError({"code": 7}))  # noqa: E731
        self.assertEqual(self.ask(outcome), (500, {"error": {"code": 7}}))

    def test_store_is_full(self) -> None:
        """Unspent tokens cannot fill the memory; old ones make room."""
        server = self.serve(store=MemoryStore(max_tokens=2))
        server.token()
        server.token()
        response = server.get("/socket/token")
        self.assertEqual(
            (response.status, response.body), (503, b'{"error":"Service unavailable"}')
        )
        server.turn(30)
        server.token()

    def test_share_of_one_identity(self) -> None:
        """Nobody takes the tokens of the others; spent and old ones make room."""
        store = MemoryStore(max_tokens_per_identity=2)
        server = self.serve(authentication=query, store=store)

        def status(user: str) -> int:
            return server.get(f"/socket/token?user={user}").status

        self.assertEqual([status("ada") for _ in range(3)], [200, 200, 503])
        self.assertEqual(status("bob"), 200)
        server.turn(30)
        self.assertEqual(status("ada"), 200)
        token = json.loads(server.get("/socket/token?user=ada").body)["token"]
        self.assertEqual(status("ada"), 503)
        link: Any = next(iter(store._links))
        self.assertIsNotNone(self.successResultOf(link.spend_token(token)))
        self.assertEqual(status("ada"), 200)

    def test_not_running(self) -> None:
        """
        A server that does not run is unavailable, and nobody is asked for credentials.  The log
        says so once a minute.
        """
        asked: list[Any] = []
        server = self.serve(authentication=asked.append, start=False)
        self.assertEqual(server.get("/socket/token").status, 503)
        self.assertEqual(server.get("/sockets/info").status, 503)
        self.assertEqual(asked, [])
        server.turn(60)
        server.get("/sockets/info")
        lines = [str(formatEvent(event)) for event in self.logged]
        self.assertEqual(
            [line[:20] for line in lines], [f"answered {n} requests " for n in (1, 2)]
        )
        self.assertIn("the TokenSocketServer was not started", lines[0])

    def test_slow(self) -> None:
        """``authentication`` has a deadline, and is cancelled by it."""
        pending: Deferred[Any] = Deferred()
        server = self.serve(authentication=lambda request: pending, limits={"hook_timeout": 4})
        connection = server.connection()
        self.assertEqual(connection.request("GET", "/socket/token").status, 0)
        server.turn(4)
        self.assertEqual(connection.response().status, 500)
        self.assertTrue(pending.called)

    def test_client_goes(self) -> None:
        """When the client goes, ``authentication`` is cancelled and no token issued."""
        pending: Deferred[Any] = Deferred()
        server = self.serve(authentication=lambda request: pending)
        connection = server.connection()
        connection.request("GET", "/socket/token")
        connection.drop()
        self.assertTrue(pending.called)
        self.assertEqual(repr(server.service._store), "<MemoryStore 0 tokens 1 servers>")

    def test_headers(self) -> None:
        """Nobody keeps a token, and no browser reads it as anything but JSON."""
        headers = self.serve().get("/socket/token").headers
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertEqual(headers["content-type"], "application/json; charset=utf-8")

    def test_methods(self) -> None:
        """Only GET gives tokens: HEAD would spend one on nothing."""
        server = self.serve()
        for method in ("HEAD", "POST", "DELETE"):
            response = server.connection().request(method, "/socket/token")
            self.assertEqual((response.status, response.headers["allow"]), (405, "GET, OPTIONS"))
        self.assertEqual(repr(server.service._store), "<MemoryStore 0 tokens 1 servers>")

    def test_parsed_forms(self) -> None:
        """A site that parses forms is warned of, once, whatever they are sent to."""
        server = self.serve()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        for path in ("/socket/token", "/sockets/0/0/jsonp_send", "/socket/token"):
            server.connection().request("POST", path, headers, b"a=b")
        warnings = [each for each in self.logged if each["log_level"].name == "warn"]
        self.assertEqual(len(warnings), 1)
        self.assertIn("server.site()", warnings[0]["log_format"])

    def test_identity(self) -> None:
        """The peer gets what came back from JSON, without the keys of Node's Express adapter."""
        given = {"a": (1, None), "__ip": "::1", "__ips": [], "__host": "h"}
        server = self.serve(authentication=lambda request: given)
        server.authenticated()
        self.assertEqual(server.service.peers()[0].auth, {"a": [1, None]})

    def test_secrets_stay_out_of_logs(self) -> None:
        """Neither credentials nor tokens are in any event that is logged."""
        server = self.serve(authentication=query)
        server.site.startFactory()  # the access log
        client = server.authenticated(f"password={SECRET}")
        token = server.token(f"password={SECRET}")
        client.ask({"rpc": "auth", "token": token, "uuid": "u"})
        client.ask({"rpc": "auth", "token": token, "uuid": "u"})
        self.serve(authentication=lambda request: 1 / 0).get(f"/socket/token?password={SECRET}")
        self.flushLoggedErrors()
        for method, path in (("OPTIONS", ""), ("POST", ""), ("GET", "/x"), ("GET", "//")):
            server.connection().request(method, f"/socket/token{path}?password={SECRET}")
        server.site.stopFactory()
        logged = repr(list(self.logged)) + repr(server.service.peers())
        for line in ("OPTIONS /socket/token ", "POST /socket/token ", "GET /socket/token/x "):
            self.assertIn(line, logged)
        self.assertNotIn(SECRET, logged)
        self.assertNotIn(token, logged)


class JSONPTests(ServerTestCase):
    """``?callback=f``."""

    def ask(self, path: str, **headers: str) -> Response:
        return self.serve(jsonp=True).get(path, **headers)

    def test_listed_origin(self) -> None:
        """To list an origin is all that its pages need."""
        server = self.serve(allowed_origins=["https://app.example"])
        path = "/socket/token?callback=f"
        for headers in ({"Referer": "https://app.example/"}, {"Sec_Fetch_Site": "same-origin"}):
            response = server.get(path, **headers)
            self.assertEqual(response.status, 200)
            self.assertEqual(response.headers["content-type"], "text/javascript; charset=utf-8")
            self.assertEqual(response.headers["cache-control"], "no-store")
            self.assertEqual(response.headers["x-content-type-options"], "nosniff")
        self.assertEqual(server.get(path, Referer="https://b.example/").status, 403)

    def test_everyone(self) -> None:
        """A star proves nothing: pages of others get a script with the option alone."""
        path = "/socket/token?callback=f"
        for jsonp, status in ((False, 403), (True, 200)):
            server = self.serve(allowed_origins="*", jsonp=jsonp)
            self.assertEqual(server.get(path).status, status)
            self.assertEqual(server.get(path, Referer="https://b.example/").status, status)
            self.assertEqual(server.get(path, Sec_Fetch_Site="same-origin").status, 200)

    def test_refusal_is_a_script(self) -> None:
        """A page that may load the answer hears of a refusal; browsers run no script of a 403."""
        path = "/socket/token?callback=f"
        for outcome, error in (
            (None, '"Forbidden"'),
            (fail(ActionError({"code": 7})), '{"code":7}'),
        ):
            server = self.serve(authentication=lambda request, outcome=outcome: outcome)
            response = server.get(path, Referer="http://example.com/")
            self.assertEqual(response.status, 200)
            script = f"/**/ typeof f === 'function' && f({{\"error\":{error}}});"
            self.assertEqual(response.body, script.encode())
            self.assertEqual(response.headers["cache-control"], "no-store")
            self.assertEqual(response.headers["x-content-type-options"], "nosniff")
        self.assertEqual(server.get(path).status, 403)

    def test_too_many(self) -> None:
        """That there were too many is a refusal that such a page hears of, too."""
        server = self.serve(limits={"tokens_per_second": 0.5, "token_burst": 1})
        path, page = "/socket/token?callback=f", {"Referer": "http://example.com/"}
        server.get(path, **page)
        response = server.get(path, **page)
        self.assertEqual(response.status, 200)
        self.assertIn(f'f({{"error":"{TOO_MANY}"}});'.encode(), response.body)
        self.assertEqual(response.headers["retry-after"], "2")
        self.assertEqual(response.headers["cache-control"], "no-store")
        self.assertEqual(server.get("/socket/token").status, 429)

    def test_script(self) -> None:
        """The answer calls the function, as Express writes it."""
        response = self.ask("/socket/token?callback=a.b%5B0%5D.$c", Sec_Fetch_Site="same-origin")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["content-type"], "text/javascript; charset=utf-8")
        self.assertEqual(response.headers["x-content-type-options"], "nosniff")
        head, tail = b"/**/ typeof a.b[0].$c === 'function' && a.b[0].$c(", b");"
        self.assertTrue(response.body.startswith(head) and response.body.endswith(tail))
        self.assertEqual(list(json.loads(response.body[len(head) : -len(tail)])), ["token"])

    def test_names_that_are_no_function(self) -> None:
        """A callback that could be anything but a name is refused."""
        for name in ("alert(1)//", "a%3Bb", "1a", "a.", "a[b]", "%3Cscript%3E", "a%0A", "x" * 129):
            response = self.ask(f"/socket/token?callback={name}", Sec_Fetch_Site="same-origin")
            self.assertEqual(response.status, 400, name)
            self.assertEqual(response.body, b'{"error":"Invalid callback"}')

    def test_needs_proof_of_origin(self) -> None:
        """A script is for any page that loads it: without proof of whose it is, no token."""
        path = "/socket/token?callback=f"
        self.assertEqual(self.ask(path).status, 403)
        self.assertEqual(self.ask(path, Sec_Fetch_Site="cross-site").status, 403)
        self.assertEqual(self.ask(path, Referer="http://evil.example/x").status, 403)
        self.assertEqual(self.ask(path, Referer="http://example.com/page").status, 200)


class HostTests(ServerTestCase):
    """A server that is reached at a loopback address."""

    def statuses(self, host: str, **options: Any) -> set[int]:
        """The statuses of the token route and of SockJS, for requests to 127.0.0.1."""
        server = self.serve(**options)
        found = set()
        for path in ("/socket/token", "/socket/token?callback=f", "/sockets/info"):
            connection = server.connection()
            connection.tcp.hostAddr = IPv4Address("TCP", "127.0.0.1", 80)
            headers = {"Host": host, "Origin": f"http://{host}"}
            self.last = connection.request("GET", path, headers)
            found.add(self.last.status)
        return found

    def test_other_names(self) -> None:
        """A page whose name leads there gets nothing, and is told the option."""
        self.assertEqual(self.statuses("evil.example"), {421})
        self.assertIn(b"allowed_hosts", self.last.body)

    def test_own_names(self) -> None:
        """Loopback names, and what is listed."""
        self.assertEqual(self.statuses("localhost"), {200})
        self.assertEqual(self.statuses("app.example", allowed_hosts=["app.example"]), {200})
        listed = self.statuses("app.example", allowed_origins=["http://app.example"])
        self.assertEqual(listed, {200})


class OriginTests(ServerTestCase):
    """Pages of other origins get neither tokens nor sessions."""

    paths = ("/socket/token", "/sockets/info", "/sockets", "/sockets/iframe.html")

    def statuses(self, server: TokenServer, **headers: str) -> set[int]:
        return {server.get(path, **headers).status for path in self.paths}

    def test_same_origin(self) -> None:
        """Pages of the server's own host, and clients that are no browsers, may."""
        server = self.serve()
        for headers in (
            {},
            {"Origin": "http://example.com"},
            {"Origin": "https://example.com"},  # a proxy ended TLS
            {"Origin": "http://EXAMPLE.com:80"},
            {"Sec_Fetch_Site": "same-origin"},
            {"Sec_Fetch_Site": "none"},
            {"Sec_Fetch_Site": "cross-site", "Referer": "http://example.com/page"},
        ):
            self.assertEqual(self.statuses(server, **headers), {200}, headers)

    def test_judged_once(self) -> None:
        """A function that decides is asked once for each request, which it may count or log."""
        asked: list[str] = []

        def decide(_: Any, origin: str) -> bool:
            asked.append(origin)
            return origin == "http://a.example"

        server = self.serve(allowed_origins=decide)
        for origin, status in (("http://a.example", 200), ("http://b.example", 403)):
            asked.clear()
            self.assertEqual(self.statuses(server, Origin=origin), {status})
            self.assertEqual(asked, [origin] * len(self.paths))

    def test_foreign_origins(self) -> None:
        """Others may not, whichever header gives them away."""
        server = self.serve()
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "http://example.com:8080"},
            {"Origin": "http://example.com.evil.example"},
            {"Origin": "null"},
            {"Origin": ""},
            {"Origin": "http://[bad"},
            {"Origin": "http://example.com:99999"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Referer": "http://evil.example/"},
        ):
            self.assertEqual(self.statuses(server, **headers), {403}, headers)

    def test_websocket(self) -> None:
        """A page elsewhere opens no WebSocket."""
        server = self.serve()
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
        for path in ("/sockets/000/a/websocket", "/sockets/websocket"):
            response = server.get(
                path, Origin="http://evil.example", Sec_WebSocket_Key="A" * 22 + "==", **upgrade
            )
            self.assertEqual(response.status, 403)

    def test_listed_origins(self) -> None:
        """Listed origins may, with credentials, and read the answer; others still not."""
        server = self.serve(allowed_origins=["https://App.example:443/", "null"])
        for origin in ("https://app.example", "null", "http://example.com"):
            self.assertEqual(self.statuses(server, Origin=origin), {200})
            headers = server.get("/socket/token", Origin=origin).headers
            self.assertEqual(headers["access-control-allow-origin"], origin)
            self.assertEqual(headers["access-control-allow-credentials"], "true")
            self.assertEqual(headers["vary"], "Origin")
        refused = server.get("/socket/token", Origin="http://app.example")
        self.assertEqual(refused.status, 403)
        self.assertNotIn("access-control-allow-origin", refused.headers)

    def test_everyone(self) -> None:
        """A star is for all."""
        server = self.serve(allowed_origins="*")
        for headers in ({"Origin": "http://any.example"}, {"Sec_Fetch_Site": "cross-site"}, {}):
            self.assertEqual(self.statuses(server, **headers), {200})

    def test_bytes_that_are_no_text(self) -> None:
        """Headers that are no UTF-8, or no Latin-1, are other origins like any."""
        for everyone in (False, True):
            server = self.serve(allowed_origins="*" if everyone else None)
            for name in (b"Origin", b"Referer", b"Sec-Fetch-Site", b"Host"):
                for value in (b"\xff\xfe", b"http://\xe2\x82\xac"):
                    connection = server.connection()
                    head = b"GET /socket/token HTTP/1.1\r\n%s: %s\r\n\r\n"
                    connection.send(head % (name, value))
                    allowed = everyone or name == b"Host"
                    self.assertEqual(connection.response().status, 200 if allowed else 403)

    def test_preflight(self) -> None:
        """A page that sends headers of its own asks first."""
        server = self.serve(allowed_origins=["https://app.example"])
        asked = {"Access-Control-Request-Headers": "x-session", "Origin": "https://app.example"}
        response = server.connection().request("OPTIONS", "/socket/token", asked)
        self.assertEqual(response.status, 204)
        self.assertEqual(response.headers["access-control-allow-headers"], "x-session")
        self.assertEqual(response.headers["access-control-allow-methods"], "GET")

    def test_bad_option(self) -> None:
        """What is no origin is said at once."""
        for allowed in ("https://a.example", ["a.example"], ["https://a.example/path"], 5, [None]):
            with self.assertRaises(InvalidOption):
                self.serve(allowed_origins=allowed)


class MountTests(ServerTestCase):
    """Where the routes are."""

    def test_paths(self) -> None:
        """Paths of several segments, below any resource, beside what is there already."""
        server = TokenSocketServer(
            lambda request: True, token_path="api/v1/token/", socket_prefix="/api/sock"
        )
        own, api = Resource(), Resource()
        own.putChild(b"page", _Page(b"page"))
        own.putChild(b"api", api)
        api.putChild(b"v1", pages.notFound())
        api.putChild(b"other", _Page(b"other"))
        outer = Resource()
        outer.putChild(b"rt", server.resource(own))
        answers = TokenServer()
        answers.site = Site(outer, reactor=answers.clock, timeout=None)
        for path, status, body in (
            ("/rt/api/v1/token", 503, b'{"error":"Service unavailable"}'),
            ("/rt/api/sock/info", 503, b"The server is not running.\n"),
            ("/rt/api/other", 200, b"other"),
            ("/rt/page", 200, b"page"),
            ("/rt/api/v1", 404, None),
        ):
            response = answers.get(path)
            self.assertEqual(response.status, status, path)
            if body is not None:
                self.assertEqual(response.body, body)
        self._servers.append(answers)

    def test_nothing_else(self) -> None:
        """Without anything else, all other paths are 404."""
        server = self.serve()
        for path in ("/", "/socket", "/x/sockets", "/socketsx"):
            self.assertEqual(server.get(path).status, 404)

    def test_site(self) -> None:
        """The server's own site takes no larger body than a frame may be."""
        server = self.serve(limits={"frame_size": 1000})
        server.site = server.service.site()
        self.assertIsNotNone(server.token())
        for size, status in ((1000, 404), (1001, 413)):
            response = server.connection().request("POST", "/x", body=b"x" * size)
            self.assertEqual(response.status, status)
        server.turn(100)  # the timeout for idle connections

    def test_leaf(self) -> None:
        """What else is there may be a leaf, as Klein's resource is."""
        server = self.serve()
        server.site = Site(
            server.service.resource(_Page(b"leaf")), reactor=server.clock, timeout=None
        )
        for path in ("/", "/a/b", "/socket"):
            self.assertEqual(server.get(path).body, b"leaf " + path.encode())
        self.assertEqual(server.get("/socket/token").status, 200)


class _Page(Resource):
    def __init__(self, text: bytes) -> None:
        super().__init__()
        self.text = text
        self.isLeaf = text == b"leaf"

    def render_GET(self, request: Any) -> bytes:
        if self.isLeaf:
            return self.text + b" /" + b"/".join(request.postpath)
        return self.text


class QueryTests(ServerTestCase):
    """The credentials in a token request."""

    def test_nesting(self) -> None:
        """The form encoding of the JavaScript clients comes back as it was."""
        seen: list[Any] = []
        server = self.serve(authentication=lambda request: seen.append(query(request)))
        for text, value in (
            ("", {}),
            ("a=1&b%5Bc%5D=2&b%5Bd%5D%5B0%5D=x", {"a": "1", "b": {"c": "2", "d": ["x"]}}),
            ("a[]=1", {"a": ["1"]}),
            ("a=1&a=2&e=", {"a": ["1", "2"], "e": ""}),
            ("a=1&a[b]=2", {"a": "1"}),
            ("u=%C3%A9%20%F0%9F%98%80", {"u": "é 😀"}),
            ("a[b=1&[x]=2&callback=f", {}),
            ("a[1]=x&a[0]=y", {"a": ["y", "x"]}),
            ("a[1]=x", {"a": {"1": "x"}}),
            ("a[b][c][d][e][f][g]=1", {}),
        ):
            server.get(f"/socket/token?{text}", Sec_Fetch_Site="same-origin")
            self.assertEqual(seen.pop(), value)

    def test_bounds(self) -> None:
        """A thousand values are enough."""
        seen: list[Any] = []
        server = self.serve(authentication=lambda request: seen.append(query(request)))
        server.get("/socket/token?" + "&".join(f"a{n}=1" for n in range(1500)))
        self.assertEqual(len(seen[0]), 1000)


class OptionTests(ServerTestCase):
    """Bad options are said at once."""

    def test_bad_options(self) -> None:
        """Each is an InvalidOption that names it."""
        for options in (
            {"authentication": None},
            {"actions": {"a.b": len}},
            {"actions": {"a": 5}},
            {"store": object()},
            {"token_path": "/a b"},
            {"socket_prefix": 5},
            {"filter": 5},
            {"sockjs": {"heartbeat": -1}},
            {"limits": {"calls": 0}},
            {"limits": {"channels": 1.5}},
            {"limits": {"hook_timeout": float("inf")}},
            {"limits": {"calls": True}},
        ):
            with self.assertRaises(InvalidOption, msg=repr(options)):
                self.serve(**options)
        for name, value, said in (
            ("limits", {"calls": 5}, "limits is {'calls': 5}: it must be a Limits"),
            ("sockjs", {"typo": 1}, "a name in sockjs is 'typo': it must be one of 'websocket', "),
            ("observer", print, "it must be an Observer"),
            ("acks", "no", "acks is 'no': it must be True or False"),
            ("ping", None, "ping is None: "),
            ("jsonp", 1, "jsonp is 1: "),
            ("actions", {"a": lambda data: data}, "it is called with (data, peer): "),
            ("filter", lambda message: message, "it is called with (peer, channel, message): "),
            ("limits_for", lambda: None, "it is called with (identity): "),
        ):
            options: dict[str, Any] = {name: value}
            with self.assertRaises(InvalidOption) as caught:
                TokenSocketServer(lambda request: True, **options)
            self.assertIn(said, str(caught.exception))
        with self.assertRaises(InvalidOption):
            TokenSocketServer(lambda: True)  # type: ignore[arg-type, misc]

    def test_not_running(self) -> None:
        """Publishing through a server that does not run fails by name."""
        service = self.serve(start=False).service
        for deferred in (
            service.publish("c", 1),
            service.broadcast(1),
            service.unsubscribe_all("c"),
        ):
            self.failureResultOf(deferred, StoreUnavailable)
