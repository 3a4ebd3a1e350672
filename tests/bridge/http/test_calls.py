"""``/call``, ``/publish`` and ``/broadcast``: what goes up, and every way it is answered."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher

from .support import NOW, HttpTestCase


class ShapeTests(HttpTestCase):
    """Crossbar's shape of requests, and token-sockjs's."""

    def setUp(self) -> None:
        super().setUp()
        self.answers.update({"f": {"x": 1}, "_publish": "success", "_broadcast": "success"})

    def test_call_data(self) -> None:
        """Arguments become one value; ``data`` is the value."""
        self.serve()
        both = {"args": [1], "kwargs": {"a": 1}}
        for body, data in (
            ({"procedure": "f"}, None),
            ({"procedure": "f", "args": [], "kwargs": {}}, None),
            ({"procedure": "f", "args": None, "kwargs": None, "options": None}, None),
            ({"procedure": "f", "args": [1]}, 1),
            ({"procedure": "f", "args": [[1]]}, [1]),
            ({"procedure": "f", "args": [1, 2]}, [1, 2]),
            ({"procedure": "f", "kwargs": {"a": 1}}, {"a": 1}),
            ({"procedure": "f", **both}, both),
            ({"rpc": "f", "data": [1]}, [1]),
            ({"rpc": "f", "data": None}, None),
            ({"rpc": "f", "args": [1], "options": {"acknowledge": True}}, 1),
            ({"procedure": "f", "data": "é\0"}, "é\0"),
        ):
            reply = self.ask("/call", body)
            self.assertEqual((reply.status, reply.json), (200, {"args": [{"x": 1}]}), body)
            self.assertEqual(self.asked("f")[-1], data, body)
        self.assertEqual(self.count("anybody/call", "in"), self.count("anybody/call", "out"))
        self.assertEqual(self.count("anybody/call", "refused"), 0)

    def test_publish_and_broadcast(self) -> None:
        """Both are accepted with an id that is never the same."""
        self.serve()
        ids = []
        for path, body, sent in (
            ("/publish", {"topic": "c", "args": ["x"]}, {"channel": "c", "data": "x"}),
            ("/publish", {"channel": "c", "data": {"a": 1}}, {"channel": "c", "data": {"a": 1}}),
            ("/broadcast", {"data": 5}, {"data": 5}),
            ("/broadcast", {"args": [1, 2]}, {"data": [1, 2]}),
        ):
            reply = self.ask(path, body)
            self.assertEqual((reply.status, list(reply.json)), (202, ["id"]))
            ids.append(reply.json["id"])
            self.assertEqual(self.asked(path.replace("/", "_"))[-1], sent)
        self.assertEqual(len(set(ids)), 4)
        self.assertEqual(self.count("anybody/publish", "out"), 2)
        self.assertEqual(self.count("anybody/broadcast", "out"), 2)

    def test_bad_requests(self) -> None:
        """400 with the reason; nothing goes up."""
        self.serve()
        before = len(self.requests)
        for path, body, reason in (
            ("/call", b"", "the body is not valid JSON: "),
            ("/call", b"{", "the body is not valid JSON: "),
            ("/call", b"\xff", "the body is not valid JSON: "),
            ("/call", b"[" * 100_000, "the body is not valid JSON: "),
            ("/call", [], "the body is not a JSON object"),
            ("/call", {}, "there is neither procedure nor rpc"),
            ("/call", {"rpc": "f", "procedure": "f"}, "there is both procedure and rpc"),
            ("/call", {"rpc": 5}, "rpc must be text"),
            ("/call", {"rpc": ""}, "a function's name must be"),
            ("/call", {"rpc": "_publish"}, "'_publish' is reserved by the protocol"),
            ("/call", {"rpc": "f", "dta": 1}, "'dta' is not a member of this request"),
            ("/call", {"rpc": "f", "channel": "c"}, "'channel' is not a member of this request"),
            ("/call", {"rpc": "f", "args": {}}, "args must be an array"),
            ("/call", {"rpc": "f", "args": {"a": 1}}, "args must be an array"),
            ("/call", {"rpc": "f", "kwargs": [1]}, "args must be an array"),
            ("/call", {"rpc": "f", "data": 1, "args": [1]}, "data and args"),
            ("/call", {"rpc": "f", "timeout": "1"}, "timeout is '1'"),
            ("/call", {"rpc": "f", "timeout": 0}, "timeout is 0"),
            ("/call", {"rpc": "f", "options": []}, "options must be an object"),
            ("/publish", {"topic": ""}, "a channel must not be empty"),
            ("/publish", {"topic": "___all___"}, "the channel '___all___' is reserved"),
            ("/publish", {"topic": "c", "channel": "c"}, "there is both"),
            ("/publish", {"topic": "c", "options": {"exclude": [1]}}, "the option 'exclude'"),
            (
                "/publish",
                {"topic": "c", "timeout": 1},
                "'timeout' is not a member of this request",
            ),
            ("/broadcast", {}, "there is neither data nor args"),
            (
                "/broadcast",
                {"channel": "c", "data": 1},
                "'channel' is not a member of this request",
            ),
        ):
            if body == {"rpc": "f", "args": {}}:
                continue  # an empty one says nothing
            status, uri, said = self.ask(path, body).error
            self.assertEqual((status, uri), (400, "wamp.error.invalid_argument"), body)
            self.assertTrue(said.startswith(reason), said)
        self.assertEqual(len(self.requests), before)

    def test_content_type(self) -> None:
        """What a web page can send without asking first is refused."""
        self.serve()
        for kind in ("text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"):
            reply = self.ask("/call", {"rpc": "f"}, headers={"content-type": kind})
            self.assertEqual(reply.status, 400, kind)
        for kind in ("application/json; charset=utf-8", "Application/JSON"):
            reply = self.ask("/call", {"rpc": "f"}, headers={"content-type": kind})
            self.assertEqual(reply.status, 200, kind)

    def test_foreign_host(self) -> None:
        """Without keys, a name that is not this machine's may be a page's: 403."""
        self.serve(hosts=("Bridge.test",))
        for host in ("http://evil.test", "http://10.0.0.1:8090", "http://127.0.0.1.evil.test"):
            status, uri, _ = self.ask("/call", {"rpc": "f"}, url=host).error
            self.assertEqual((status, uri), (403, "wamp.error.not_authorized"), host)
        for host in ("http://localhost:8090", "http://127.0.0.2", "http://bridge.test"):
            self.assertEqual(self.ask("/call", {"rpc": "f"}, url=host).status, 200, host)
        body = b'{"rpc":"f"}'
        head = b"POST /call HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 11\r\n"
        for value, answered in (
            *((b"a.localhost:8090", b"200"), (b"[::ffff:127.0.0.1]", b"200")),
            *((b"evil.test@localhost", b"403"), (b"localhost/evil.test", b"403"), (b"", b"403")),
        ):
            raw = self.raw(head + b"Host: %s\r\n\r\n" % value + body)
            self.assertTrue(raw.startswith(b"HTTP/1.1 " + answered), (value, raw))

    def test_foreign_pages(self) -> None:
        """Without keys, a page of another origin is refused, whichever header tells."""
        self.serve()
        url = "http://localhost:8090"
        for name, value, status in (
            ("origin", "http://evil.test", 403),
            ("origin", "http://localhost:8091", 403),
            ("origin", "null", 403),
            ("sec-fetch-site", "cross-site", 403),
            ("sec-fetch-site", "same-site", 403),
            ("referer", "http://evil.test/page", 403),
            ("origin", url, 200),
            ("sec-fetch-site", "same-origin", 200),
        ):
            reply = self.ask("/call", {"rpc": "f"}, url=url, headers={name: value})
            self.assertEqual(reply.status, status, (name, value))

    def test_other_pages(self) -> None:
        """404, and 405 with what could be asked."""
        self.serve()
        self.assertEqual(self.get("/nothing").error[:2], (404, "tokensock.error.no_such_page"))
        reply = self.get("/call")
        self.assertEqual((reply.status, reply.headers["allow"]), (405, "POST"))
        self.assertEqual(self.ask("/events", {}).status, 405)
        self.assertEqual(self.get("/call/more").status, 404)

    def test_strange_requests(self) -> None:
        """What is no UTF-8 and no host is answered, and not logged."""
        self.serve()
        for line in (b"GET /%ff", b"GET /\xff", b"\xff /call", b"GET /call%00", b"GET *"):
            for host in (b"localhost", b"\xff", b"a..b", b"[::1", b"x" * 300, b"a:b:c", b""):
                raw = self.raw(line + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
                self.assertRegex(raw, rb"^HTTP/1.1 4\d\d ")


class OutcomeTests(HttpTestCase):
    """What becomes of a call."""

    def test_errors_of_the_server(self) -> None:
        """404, 403 and 502, each with the error as it was sent."""
        self.serve()
        for error, expected in (
            ("Function not found", (404, "tokensock.error.function_not_found")),
            ("Forbidden", (403, "tokensock.error.forbidden")),
            ("oops", (502, "tokensock.error.remote")),
            ({"code": 42, "nested": [None]}, (502, "tokensock.error.remote")),
            (5, (502, "tokensock.error.remote")),
        ):
            self.answers["f"] = Exception(error)
            self.assertEqual(self.ask("/call", {"rpc": "f"}).error, (*expected, error))
        self.assertEqual(self.count("anybody/call", "refused"), 5)
        self.answers["_publish"] = Exception("Forbidden")
        self.server.acks = True
        self.session.drop()
        self.advance(1)
        reply = self.ask("/publish", {"channel": "c", "data": 1})
        self.assertEqual(reply.error, (403, "tokensock.error.forbidden", "Forbidden"))

    def test_timeout(self) -> None:
        """504, after the caller's time where that is shorter than ours."""
        self.serve(call_timeout=5.0)
        for body, seconds in (({"rpc": "f", "timeout": 2}, 2), ({"rpc": "f", "timeout": 50}, 5)):
            call = self.send("/call", body)
            self.advance(seconds - 0.01)
            self.assertNoResult(call)
            self.advance(0.02)
            reply = self.successResultOf(call)
            self.assertEqual(reply.error[:2], (504, "tokensock.error.timeout"))
            self.assertEqual(reply.json["kwargs"], {"may_have_run": True})

    def test_not_connected(self) -> None:
        """Calls are answered with 503 at once."""
        self.serve(connected=False)
        reply = self.ask("/call", {"rpc": "f"})
        self.assertEqual(
            reply.error, (503, "wamp.error.unavailable", "not connected to the server")
        )
        self.assertEqual(reply.headers["retry-after"], "1")

    def test_connection_lost(self) -> None:
        """503, and that it may have run."""
        self.serve()
        call = self.send("/call", {"rpc": "f"})
        self.session.drop()
        self.settle()
        reply = self.successResultOf(call)
        self.assertEqual(reply.error[:2], (503, "tokensock.error.disconnected"))
        self.assertEqual(reply.json["kwargs"], {"may_have_run": True})

    def test_caller_gone(self) -> None:
        """Who hangs up is forgotten; the answer that comes later is nobody's."""
        self.serve(concurrency=1)
        call = self.send("/call", {"rpc": "f"})
        call.cancel()
        self.settle()
        self.failureResultOf(call)
        self.session.answer(self.requests[-1], 1)
        self.answers["f"] = 2
        self.assertEqual(self.ask("/call", {"rpc": "f"}).status, 200)

    def test_our_fault(self) -> None:
        """500, and a traceback in the log; for who has hung up there is the latter alone."""
        self.serve()

        def call(name: str, data: object, timeout: float) -> Deferred[None]:
            if name == "f":
                raise ZeroDivisionError
            return Deferred(lambda waiting: waiting.errback(ZeroDivisionError()))

        self.patch(self.upstream, "rpc", call)
        status, uri, _ = self.ask("/call", {"rpc": "f"}).error
        self.assertEqual((status, uri), (500, "wamp.error.runtime_error"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        waiting = self.send("/call", {"rpc": "waits"})
        waiting.cancel()
        self.settle()
        self.failureResultOf(waiting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_no_secret_in_log(self) -> None:
        """What was sent is in no log."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve()
        self.ask("/call?signature=s3cret", {"rpc": "f", "data": "s3cret", "timeout": "s3cret"})
        self.assertNotIn("s3cret", repr(list(logged)))


class StoreTests(HttpTestCase):
    """The server cannot publish, as while its Redis is away."""

    def test_later(self) -> None:
        """Nothing was done, and it may be later: 503, which no idempotency key keeps."""
        self.server.acks = True
        self.serve()
        self.answers["_publish"] = self.answers["_broadcast"] = RuntimeError("Store unavailable")
        key = {"idempotency-key": "k"}
        for path, body in (("/publish", {"channel": "c", "data": 1}), ("/broadcast", {"data": 1})):
            reply = self.ask(path, body, headers=key)
            self.assertEqual(reply.error[:2], (503, "wamp.error.unavailable"))
            self.assertEqual(reply.headers["retry-after"], "1")
        self.answers["_publish"] = "success"
        self.assertEqual(
            self.ask("/publish", {"channel": "c", "data": 1}, headers=key).status, 202
        )


class WaitingPublishTests(HttpTestCase):
    """Publishes while the server is away."""

    def publish(self, data: Any = 1) -> Any:
        return self.ask("/publish", {"channel": "c", "data": data})

    def test_queued(self) -> None:
        """202 at once, and it is sent when the server is back."""
        self.serve()
        reply = self.publish("later")
        self.assertEqual((reply.status, reply.json["queued"]), (202, True))
        self.assertEqual(self.count("anybody/publish", "out"), 0)
        self.back()
        self.assertEqual(self.asked("_publish"), [{"channel": "c", "data": "later"}])
        self.assertEqual(self.count("anybody/publish", "out"), 1)

    def setUp(self) -> None:
        super().setUp()
        self.server.script(token_connect="refuse")

    def serve(self, *keys: Any, connected: bool = True, **options: Any) -> Any:
        side = super().serve(*keys, connected=False, **options)
        self.upstream.startService()
        self.settle()
        return side

    def back(self) -> None:
        self.server.script()
        self.advance(10)

    def test_bounds(self) -> None:
        """As many as may wait do, in number and in bytes; more are refused and logged."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve(queue_limit=2, queue_bytes=1000)
        self.assertEqual(self.publish().status, 202)
        self.assertEqual(self.publish("x" * 1000).status, 503)
        self.assertEqual(self.publish().status, 202)
        status, uri, _ = self.publish().error
        self.assertEqual((status, uri), (503, "wamp.error.unavailable"))
        self.assertEqual(self.count("anybody/publish", "refused"), 2)
        self.assertEqual(
            len([event for event in logged if event.get("event") == "http.queue_full"]), 2
        )
        self.back()
        self.assertEqual(len(self.asked("_publish")), 2)
        self.assertEqual(self.publish().status, 202)

    def test_shared(self) -> None:
        """
        One key does not take all the room, in number or in bytes: its latest make room for those
        of others, who get as much, and who cannot have more in this way.
        """
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        for limits, data in (
            ({"queue_limit": 6}, ["x"] * 6),
            ({"queue_bytes": 6300}, ["x" * 1000] * 6),
        ):
            self.serve(self.key("a", "s-a"), self.key("b", "s-b"), self.key("c", "s-c"), **limits)
            before = len(self.asked("_publish"))
            statuses = [
                self.ask(
                    "/publish",
                    {"channel": f"{key}{number}", "data": value},
                    headers={"authorization": f"Bearer s-{key}"},
                ).status
                for key in "abc"
                for number, value in enumerate(data)
            ]
            self.assertEqual(
                statuses, [202] * 6 + ([202] * 3 + [503] * 3) + ([202] * 2 + [503] * 4)
            )
            self.back()
            sent = [publish["channel"] for publish in self.asked("_publish")[before:]]
            self.assertEqual(sorted(sent), ["a0", "a1", "b0", "b1", "c0", "c1"])
            self.assertEqual(self.side._pages.publishing._waiting, {})
            self._stop()
            self.server.script(token_connect="refuse")
        self.assertEqual(self.count("a/publish", "dropped"), 8)
        self.assertEqual(
            len([event for event in logged if event.get("event") == "http.publish_lost"]), 10
        )

    def test_lost(self) -> None:
        """One that waited too long is counted and logged."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve()
        self.publish()
        self.advance(21)
        self.assertEqual(self.count("anybody/publish", "dropped"), 1)
        self.assertEqual(
            len([event for event in logged if event.get("event") == "http.publish_lost"]), 1
        )

    def test_time(self) -> None:
        """The tests' clock begins at a time of today."""
        self.assertEqual(self.reactor.seconds(), NOW)
        self.serve()
