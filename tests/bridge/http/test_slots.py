"""How much comes in over HTTP, how often the same, and how it ends."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Protocol
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher

from txtokensock.bridge.config.http import HttpConfig
from txtokensock.bridge.http import http_side
from txtokensock.errors import InvalidOption

from .support import HttpTestCase

CALL = {"rpc": "f"}


def key(value: str) -> dict[str, str]:
    """The header ``Idempotency-Key``."""
    return {"idempotency-key": value}


class BodyTests(HttpTestCase):
    """Bodies that are too long."""

    def test_limit(self) -> None:
        """413 for one byte too many, and the connection can be used again."""
        self.answers["f"] = 1
        self.serve(body_limit=100)
        frame = len(b'{"rpc":"f","data":""}')
        for size, status in ((100, 200), (101, 413), (1600, 413)):
            body = b'{"rpc":"f","data":"' + b"x" * (size - frame) + b'"}'
            self.assertEqual(self.ask("/call", body).status, status, size)
        self.assertEqual(self.ask("/publish", b"x" * 101).error[1], "tokensock.error.too_large")
        self.assertEqual(len(self.asked("f")), 1)

    def test_chunked(self) -> None:
        """Also where the length is not told before."""
        self.serve(body_limit=100)
        head = (
            b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        answer = self.raw(head + b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)

    def test_endless(self) -> None:
        """Who goes on and on is cut off, and nothing of it is kept."""
        self.serve(body_limit=100)
        head = (
            b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100000000\r\n\r\n"
        )
        answer = self.raw(head + b"x" * 5000)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        self.assertEqual(self.network.open, [])

    def test_unread_answers(self) -> None:
        """Who sends requests and reads no answers is not read any more."""
        self.answers["f"] = "x" * 10_000
        self.serve()
        request = (
            b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b'Content-Length: 11\r\n\r\n{"rpc":"f"}'
        )
        self.raw(request * 200, reading=False)
        self.assertLess(len(self.asked("f")), 50)

    def test_connections(self) -> None:
        """Connections beyond the limit are closed at once."""
        self.serve(connections=2)
        calls = [self.send("/call", CALL) for _ in range(3)]
        self.assertEqual(len(self.requests), 2)
        self.failureResultOf(calls[2])
        for request in self.requests[-2:]:
            self.session.answer(request, 1)
        self.settle()
        for call in calls[:2]:
            self.assertEqual(self.successResultOf(call).status, 200)
        self.answers["f"] = 1
        self.assertEqual(self.ask("/call", CALL).status, 200)


class ConcurrencyTests(HttpTestCase):
    """Many at once."""

    def test_per_key(self) -> None:
        """429 for one too many of a key; other keys go on."""
        self.serve(self.key("a", "secret-a", concurrency=2), self.key("b", "secret-b"))
        a, b = ({"authorization": f"Bearer secret-{name}"} for name in "ab")
        calls = [self.send("/call", CALL, headers=a) for _ in range(2)]
        reply = self.ask("/call", CALL, headers=a)
        self.assertEqual(reply.error[:2], (429, "tokensock.error.too_many_requests"))
        self.assertEqual(reply.headers["retry-after"], "1")
        self.assertEqual(self.get("/healthz", a).status, 200)
        calls.append(self.send("/call", CALL, headers=b))
        for request in [each for each in self.requests if each["rpc"] == "f"]:
            self.session.answer(request, 1)
        self.settle()
        self.assertEqual([self.successResultOf(call).status for call in calls], [200] * 3)
        self.answers["f"] = 1
        self.assertEqual(self.ask("/call", CALL, headers=a).status, 200)


class IdempotencyTests(HttpTestCase):
    """``Idempotency-Key``."""

    def test_again(self) -> None:
        """The same request has the same answer, and is done once; another is 422."""
        self.answers.update({"f": 1, "_publish": "success"})
        self.serve()
        first = self.ask("/call", CALL, headers=key("k"))
        self.answers["f"] = 2
        self.assertEqual(self.ask("/call", CALL, headers=key("k")).text, first.text)
        reply = self.ask("/call", {"rpc": "f", "data": 1}, headers=key("k"))
        self.assertEqual(reply.error[:2], (422, "tokensock.error.idempotency_key"))
        self.assertEqual(self.ask("/call", CALL, headers=key("other")).json, {"args": [2]})
        ids = {
            self.ask("/publish", {"channel": "c", "data": 1}, headers=key("k")).json["id"]
            for _ in range(3)
        }
        self.assertEqual((len(ids), len(self.asked("_publish")), len(self.asked("f"))), (1, 1, 2))

    def test_in_flight(self) -> None:
        """Who asks again meanwhile waits for the one answer."""
        self.serve(concurrency=1)
        calls = [self.send("/call", CALL, headers=key("k")) for _ in range(3)]
        self.assertEqual(len(self.asked("f")), 1)
        self.session.answer(self.requests[-1], "late")
        self.settle()
        for call in calls:
            self.assertEqual(self.successResultOf(call).json, {"args": ["late"]})

    def test_caller_gone(self) -> None:
        """It goes on without who asked, who can come back for the answer."""
        self.serve()
        call = self.send("/call", CALL, headers=key("k"))
        call.cancel()
        self.settle()
        self.failureResultOf(call)
        self.session.answer(self.requests[-1], "kept")
        self.settle()
        self.assertEqual(self.ask("/call", CALL, headers=key("k")).json, {"args": ["kept"]})
        self.assertEqual(len(self.asked("f")), 1)

    def test_errors(self) -> None:
        """An error that means that it was done is kept; one that means that it was not, not."""
        self.serve()
        self.answers["f"] = Exception("oops")
        self.assertEqual(self.ask("/call", CALL, headers=key("k")).status, 502)
        self.answers["f"] = 1
        self.assertEqual(self.ask("/call", CALL, headers=key("k")).status, 502)
        del self.answers["f"]
        call = self.send("/call", CALL, headers=key("lost"))
        self.session.drop()
        self.settle()
        self.assertEqual(self.successResultOf(call).status, 503)
        self.assertEqual(self.ask("/call", CALL, headers=key("away")).status, 503)
        self.advance(1)
        self.answers["f"] = 2
        self.assertEqual(self.ask("/call", CALL, headers=key("away")).status, 200)
        self.assertEqual(self.ask("/call", CALL, headers=key("lost")).status, 503)

    def test_expires(self) -> None:
        """After some time the key can be used anew."""
        self.answers["f"] = 1
        self.serve(idempotency_expiry=100.0)
        self.ask("/call", CALL, headers=key("k"))
        self.advance(99)
        self.assertEqual(self.ask("/call", {"rpc": "g"}, headers=key("k")).status, 422)
        self.advance(2)
        self.answers["f"] = 2
        self.assertEqual(self.ask("/call", CALL, headers=key("k")).json, {"args": [2]})

    def test_expires_in_the_order_of_answers(self) -> None:
        """What was asked first and answered last keeps nothing else from expiring."""
        self.serve(idempotency_expiry=100.0)
        slow = self.send("/call", CALL, headers=key("slow"))
        slow_request = self.requests[-1]
        quick = self.send("/call", {"rpc": "g"}, headers=key("quick"))
        self.session.answer(self.requests[-1], 1)
        self.advance(10)
        self.session.answer(slow_request, 1)
        self.settle()
        self.assertEqual([self.successResultOf(call).status for call in (slow, quick)], [200] * 2)
        self.advance(91)
        self.answers.update({"f": 2, "g": 2})
        for rpc, name, answer in (("f", "slow", 1), ("g", "quick", 2)):
            reply = self.ask("/call", {"rpc": rpc}, headers=key(name))
            self.assertEqual(reply.json, {"args": [answer]})

    def test_room_is_given_back(self) -> None:
        """Answers that are forgotten take no room, however many there were by and by."""
        self.serve(idempotency_expiry=100.0, idempotency_bytes=1000)
        for number in range(20):
            self.answers["f"] = f"{number:0100}"
            first = self.ask("/call", CALL, headers=key("k"))
            self.assertEqual(self.ask("/call", CALL, headers=key("k")).text, first.text)
            self.advance(101)
        self.assertEqual(len(self.asked("f")), 20)

    def test_bounded(self) -> None:
        """The oldest answer makes room; one that is too long to be kept is told to be so."""
        self.serve(idempotency_limit=2, idempotency_bytes=1000)
        self.answers["f"] = 1
        for name in "abc":
            self.ask("/call", CALL, headers=key(name))
        self.assertEqual(len(self.side._pages.answered), 2)
        self.answers["f"] = 2
        self.assertEqual(self.ask("/call", CALL, headers=key("c")).json, {"args": [1]})
        self.assertEqual(self.ask("/call", CALL, headers=key("a")).json, {"args": [2]})
        self.answers["f"] = "x" * 200
        self.assertEqual(self.ask("/call", CALL, headers=key("long")).status, 200)
        reply = self.ask("/call", CALL, headers=key("long"))
        self.assertEqual(reply.error[:2], (409, "tokensock.error.idempotency_key"))

    def test_all_in_flight(self) -> None:
        """Where all that can be kept waits for an answer, another key waits too: 503."""
        self.serve(idempotency_limit=1)
        call = self.send("/call", CALL, headers=key("a"))
        self.assertEqual(self.ask("/call", CALL, headers=key("b")).status, 503)
        self.session.answer(self.requests[-1], 1)
        self.settle()
        self.assertEqual(self.successResultOf(call).status, 200)

    def test_keys_apart(self) -> None:
        """Two who come in with one text do not see each other's answers."""
        self.serve(self.key("a", "secret-a"), self.key("b", "secret-b"))
        for name, answer in (("a", 1), ("b", 2)):
            self.answers["f"] = answer
            headers = {**key("k"), "authorization": f"Bearer secret-{name}"}
            self.assertEqual(self.ask("/call", CALL, headers=headers).json, {"args": [answer]})

    def test_malformed(self) -> None:
        """400 for none that could be."""
        self.serve()
        for value in ("", "x" * 256):
            self.assertEqual(self.ask("/call", CALL, headers=key(value)).status, 400)


class EndTests(HttpTestCase):
    """The end, in order."""

    def test_drain(self) -> None:
        """Nobody new comes in, what is in flight is answered, and then it is over."""
        self.serve()
        call = self.send("/call", CALL)
        reading = self.read("/events?channel=c")
        stopped = self.side.stopService()
        self.settle()
        self.assertTrue(reading.over)
        self.assertNoResult(stopped)
        self.assertFalse(self.side.state().up)
        self.assertEqual(self.side.state().detail, "stopping")
        for request in self.requests:
            if request["rpc"] == "f":
                self.session.answer(request, "answered")
        self.settle()
        reply = self.successResultOf(call)
        self.assertEqual((reply.status, reply.json), (200, {"args": ["answered"]}))
        self.settle()
        self.successResultOf(stopped)

    def test_deadline(self) -> None:
        """What is not answered in time is given up, and said so."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve()
        calls = [self.send("/call", CALL), self.send("/call", CALL, headers=key("k"))]
        stopped = self.side.stopService()
        self.advance(9.9)
        self.assertNoResult(stopped)
        self.advance(3)
        self.successResultOf(stopped)
        self.failureResultOf(calls[0])
        self.assertEqual([e["requests"] for e in logged if e.get("event") == "http.given_up"], [2])
        calls[1].addErrback(lambda _: None)

    def test_new_requests(self) -> None:
        """On a connection that is still there, 503."""
        self.serve()
        waiting = self.send("/call", CALL)
        self.side._pages.stopping = True
        self.assertEqual(self.ask("/call", CALL).error[:2], (503, "wamp.error.unavailable"))
        self.assertEqual(self.get("/events?channel=c").status, 503)
        self.session.answer(self.requests[-1], 1)
        self.settle()
        self.successResultOf(waiting)

    def test_idle_connection(self) -> None:
        """One without a request holds nothing up."""
        self.serve()
        self.network.endpoint().connect(_Silent())
        self.settle()
        stopped = self.side.stopService()
        self.settle()
        self.successResultOf(stopped)

    def test_never_started(self) -> None:
        """A port in use leaves it down, with the reason, and reload tries again."""
        self.serve()
        stopped = self.side.stopService()
        self.advance(1)
        self.successResultOf(stopped)
        taken = OSError(98, "Address already in use")
        listen = self.reactor.listenTCP

        def refuse(port: int, *arguments: Any, **options: Any) -> Any:
            raise CannotListenError("127.0.0.1", port, taken)

        self.patch(self.reactor, "listenTCP", refuse)
        self.side.startService()
        state = self.side.state()
        self.assertFalse(state.up)
        self.assertIn("cannot listen on tcp:8090:interface=127.0.0.1: Address", state.detail)
        self.patch(self.reactor, "listenTCP", listen)
        self.side.reload(HttpConfig(authentication="none"))
        self.assertTrue(self.side.state().up)

    def test_no_endpoint(self) -> None:
        """What is no endpoint, and one that takes its time, are named before anything starts."""
        problem = self.assertRaises(InvalidOption, self.serve, listen="nonsense:1")
        self.assertTrue(str(problem).startswith("http.listen: "), problem)

        class Slow:
            def listen(self, factory: Any) -> Deferred[Any]:
                return Deferred()

        self.patch(http_side, "server_endpoint", lambda *_: Slow())
        problem = self.assertRaises(InvalidOption, self.serve)
        self.assertIn("does not listen at once", str(problem))

    def test_needs_restart(self) -> None:
        """Another address does, and another file of signed requests; a heartbeat does not."""
        self.serve(self.key("a", "secret", scheme="signed"))
        old = self.side._section
        self.assertEqual(list(self.side.needs_restart(replace(old, heartbeat=7.0))), [])
        paths = [
            [problem.path for problem in self.side.needs_restart(replace(old, **{name: value}))]
            for name, value in (
                ("listen", "tcp:9"),
                ("certificate", "a.pem"),
                ("signed_requests", "another"),
            )
        ]
        named = [["http.listen"], ["http.certificate"], ["http.signed_requests"]]
        self.assertEqual(paths, named)


class _Silent:
    """Connects and says nothing."""

    def buildProtocol(self, address: Any) -> Any:
        return Protocol()

    def doStart(self) -> None:
        """Nothing."""

    def doStop(self) -> None:
        """Nothing."""
