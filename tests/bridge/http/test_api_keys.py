"""Who comes in over HTTP, and what for: bearer keys, and requests signed as for Crossbar."""

from __future__ import annotations

import os
from math import inf
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher

from txtokensock.bridge.config.http import HttpConfig
from txtokensock.bridge.http import api_keys as authentication
from txtokensock.bridge.http import replay_file
from txtokensock.bridge.http.replay_file import ReplayFile
from txtokensock.bridge.http.signed import Replays
from txtokensock.errors import InvalidOption

from .support import NOW, HttpTestCase

CALL = {"rpc": "f"}
UNKNOWN = (401, "wamp.error.authentication_failed")


def bearer(secret: str) -> dict[str, str]:
    """The header."""
    return {"authorization": f"Bearer {secret}"}


class BearerTests(HttpTestCase):
    """Keys that requests hold."""

    def setUp(self) -> None:
        super().setUp()
        self.answers.update({"f": 1, "g.h": 2, "_publish": "success", "_broadcast": "success"})

    def test_unknown(self) -> None:
        """401 for none and for another, whatever is asked for; the health is everybody's."""
        self.serve(self.key("a", "secret-a"))
        for headers in (
            {},
            bearer("secret-b"),
            bearer(""),
            bearer("secret-a "[:-2]),
            {"authorization": "secret-a"},
            {"authorization": "Basic secret-a"},
            {"authorization": "Bearer \xe9"},
        ):
            for path in ("/call", "/publish", "/broadcast"):
                reply = self.ask(path, {"nonsense": 1}, headers=headers)
                self.assertEqual(reply.error[:2], UNKNOWN, headers)
                self.assertEqual(reply.headers["www-authenticate"], "Bearer")
            for path in ("/metrics", "/events?channel=c"):
                self.assertEqual(self.get(path, headers).status, 401)
            self.assertEqual(self.get("/healthz", headers).status, 200)
        self.assertEqual(self.count("nobody/call", "refused"), 7)
        self.assertEqual(self.asked("f"), [])

    def test_what_for(self) -> None:
        """Each key has its channels and procedures: 403 for others."""
        self.serve(
            self.key("a", "secret-a", channels=("news", "a.*"), procedures=("f",)),
            self.key("b", "secret-b", channels=(), procedures=("g.*",), broadcast=True),
        )
        for path, body, a, b in (
            ("/call", {"rpc": "f"}, 200, 403),
            ("/call", {"rpc": "g.h"}, 403, 200),
            ("/call", {"rpc": "g"}, 403, 403),
            ("/publish", {"channel": "news", "data": 1}, 202, 403),
            ("/publish", {"channel": "news2", "data": 1}, 403, 403),
            ("/publish", {"channel": "a.b", "data": 1}, 202, 403),
            ("/broadcast", {"data": 1}, 403, 202),
        ):
            for secret, expected in (("secret-a", a), ("secret-b", b)):
                reply = self.ask(path, body, headers=bearer(secret))
                self.assertEqual(reply.status, expected, (path, body, secret))
                if expected == 403:
                    self.assertEqual(reply.json["error"], "wamp.error.not_authorized")
        self.assertEqual(self.count("a/publish", "out"), 2)
        self.assertEqual(self.count("b/publish", "refused"), 3)

    def test_any_host(self) -> None:
        """With keys, by whatever name we are called."""
        self.serve(self.key("a", "secret-a"))
        reply = self.ask("/call", CALL, headers=bearer("secret-a"), url="http://bridge.example")
        self.assertEqual(reply.status, 200)

    def test_rotation(self) -> None:
        """By reload: two secrets are good for a while, then the new one alone."""
        old = self.key("a", "old-secret")
        self.serve(old)
        self.environment["KEY_new"] = "new-secret"
        new = self.key("new", "new-secret").secret
        for key, statuses in (
            (old, (200, 401)),
            (self.key("a", "old-secret", previous_secret=new), (200, 200)),
            (self.key("a", "new-secret"), (401, 200)),
        ):
            self.environment["KEY_a"] = "new-secret" if statuses == (401, 200) else "old-secret"
            self.side.reload(HttpConfig(keys=(key,)))
            found = tuple(
                self.ask("/call", CALL, headers=bearer(secret)).status
                for secret in ("old-secret", "new-secret")
            )
            self.assertEqual(found, statuses)

    def test_constant_time(self) -> None:
        """All keys are compared, and with nothing that stops at the first difference."""
        self.serve(*(self.key(name, f"secret-{name}") for name in "abc"))
        for secret in ("secret-a", "secret-c", "nothing"):
            with mock.patch.object(
                authentication.hmac, "compare_digest", wraps=authentication.hmac.compare_digest
            ) as compare:
                self.ask("/call", CALL, headers=bearer(secret))
            self.assertEqual(compare.call_count, 3)

    def test_no_secrets_shown(self) -> None:
        """No secret is in a log, an answer or a repr."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve(self.key("a", "s3cret-a"), self.key("b", "s3cret-b", scheme="signed"))
        reply = self.ask("/call", CALL, headers=bearer("s3cret-a"))
        refused = self.ask("/call", CALL, headers=bearer("s3cret-x"))
        pages = self.side._pages
        signers = pages._authentication._signers
        shown = [reply.text, refused.text, list(logged), vars(self.side), vars(pages), signers]
        self.assertNotIn("s3cret", repr(shown))


class OpenTests(HttpTestCase):
    """Nobody is let in without a key, unless the configuration says so in a word."""

    def test_no_keys(self) -> None:
        """Keys that are lost on the way open nothing."""
        self.serve(authentication="keys")
        for headers in ({}, bearer(""), bearer("x")):
            self.assertEqual(self.ask("/call", CALL, headers=headers).status, 401)

    def test_keys_lost(self) -> None:
        """Nor those that a reload loses."""
        self.serve(self.key("a", "secret-a"))
        self.side.reload(HttpConfig())
        for headers in ({}, bearer("secret-a")):
            self.assertEqual(self.ask("/call", CALL, headers=headers).status, 401)

    def test_warned(self) -> None:
        """Each reload says that everybody comes in; with keys there is nothing to say."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)

        def warned() -> int:
            return sum(each.get("event") == "http.open" for each in logged)

        self.answers["f"] = 1
        self.serve(self.key("a", "secret-a"))
        self.side.reload(self.side._section)
        self.assertEqual(warned(), 0)
        self.side.reload(HttpConfig(authentication="none"))
        self.assertEqual(warned(), 1)
        self.assertEqual(self.ask("/call", CALL).status, 200)

    def test_warned_at_start(self) -> None:
        """The start says it as well."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve()
        self.assertEqual(sum(each.get("event") == "http.open" for each in logged), 1)


class TrustedProxiesTests(HttpTestCase):
    """Without keys, behind a proxy that ends TLS."""

    def ask_as(self, origin: str, scheme: str) -> int:
        """The answer's status to a page of an origin, that a proxy on this machine asks for."""
        headers = {
            "origin": origin,
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-proto": scheme,
        }
        return self.ask("/call", CALL, headers=headers).status

    def test_reload(self) -> None:
        """The proxies that are trusted can change; one that is not says nothing."""
        self.answers["f"] = 1
        self.serve()
        self.assertEqual(self.ask_as("http://127.0.0.1:8090", "https"), 200)
        trusting = HttpConfig(authentication="none", trusted_proxies=("127.0.0.1", "10.0.0.0/8"))
        self.side.reload(trusting)
        self.assertEqual(self.ask_as("http://127.0.0.1:8090", "https"), 403)
        self.assertEqual(self.ask_as("https://127.0.0.1:8090", "https"), 200)
        self.side.reload(HttpConfig(authentication="none"))
        self.assertEqual(self.ask_as("http://127.0.0.1:8090", "https"), 200)


class SignedTests(HttpTestCase):
    """Signed requests, byte for byte as Crossbar's documentation has them."""

    BODY = b'{"topic": "com.myapp.topic1", "args": ["Hello, world"]}'

    def setUp(self) -> None:
        super().setUp()
        self.answers["_publish"] = "success"

    def serve(self, *keys: Any, connected: bool = True, **options: Any) -> Any:
        key = self.key("myapp1", "kkjH68GiuUZ", scheme="signed")
        return super().serve(key, connected=connected, **options)

    def publish(self, body: bytes = BODY, **options: Any) -> tuple[int, Any]:
        """Status, and the reason where it was refused."""
        options.setdefault("key", "myapp1")
        options.setdefault("secret", "kkjH68GiuUZ")
        reply = self.successResultOf(self.signed("/publish", body, **options))
        return reply.status, reply.json.get("args", [None])[0]

    def test_known_signature(self) -> None:
        """A request whose signature was computed elsewhere, with OpenSSL."""
        self.reactor.rightNow = 1_318_611_590.0
        self.serve()
        # printf '%s' 'myapp12011-10-14T16:59:51.123Z17{"topic":"t"}' \
        #   | openssl dgst -sha256 -hmac kkjH68GiuUZ -binary | base64 | tr +/ -_
        query = (
            "timestamp=2011-10-14T16%3A59%3A51.123Z&seq=1&key=myapp1&nonce=7"
            "&signature=a_I0zwIozuQvY9tsTZ1qlPerqEg66v6xt-YZofHMIW4%3D"
        )
        self.advance(3)
        reply = self.ask(f"/publish?{query}", b'{"topic":"t"}')
        self.assertEqual(reply.status, 202, reply.text)

    def test_good(self) -> None:
        """It is taken; and so is the next."""
        self.serve()
        self.assertEqual(self.publish(), (202, None))
        self.assertEqual(self.publish(seq=2, nonce=2**53), (202, None))
        self.assertEqual(len(self.asked("_publish")), 2)

    def test_replayed(self) -> None:
        """What came comes once, also to another page, and in another guise."""
        self.serve()
        now = self.reactor.seconds()
        self.assertEqual(self.publish(seq=1, nonce=23, time=now)[0], 202)
        again = "this request came before, or is older than what is remembered"
        self.assertEqual(self.publish(seq=1, nonce=23, time=now), (401, again))
        # Nothing stands between seq and nonce: 1 and 23 sign what 12 and 3 do.
        self.assertEqual(self.publish(seq=12, nonce=3, time=now), (401, again))
        body = b'{"args": [1]}'
        reply = self.successResultOf(
            self.signed("/broadcast", body, "myapp1", "kkjH68GiuUZ", time=now)
        )
        self.assertEqual(reply.status, 403)
        self.assertEqual(self.publish(body, time=now), (401, again))
        self.side.reload(self.side._section)
        self.assertEqual(self.publish(seq=1, nonce=23, time=now), (401, again))
        self.advance(301)
        self.assertEqual(self.publish(seq=1, nonce=23, time=now)[0], 401)
        self.assertEqual(len(self.asked("_publish")), 1)

    def restart(self) -> None:
        """The bridge stops, and another one starts with the same files."""
        self._stop()
        self.serve()

    def test_restart(self) -> None:
        """What was taken is not taken again, also of clocks ahead; what is honest is taken."""
        self.serve()
        now = self.reactor.seconds()
        for ahead in (-120, 0, 120):
            self.assertEqual(self.publish(time=now + ahead)[0], 202)
        for _ in range(2):
            self.restart()
            for ahead in (-120, 0, 120):
                self.assertEqual(self.publish(time=now + ahead)[0], 401, ahead)
        self.assertEqual(self.publish(seq=2, time=now - 119)[0], 202)
        self.assertEqual(self.publish(seq=2, time=self.reactor.seconds() - 5)[0], 202)
        for path in self.directory.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_keys_that_come_later(self) -> None:
        """A reload that brings the first signed key reads what is known, and adds to it."""
        self.serve()
        now = self.reactor.seconds()
        self.assertEqual(self.publish(time=now)[0], 202)
        keys, path = self.side._section.keys, self.side._section.signed_requests
        self._stop()
        HttpTestCase.serve(self, self.key("a", "secret-a"))
        self.side.reload(HttpConfig(keys=keys, signed_requests=path))
        self.assertEqual(self.publish(time=now)[0], 401)
        self.assertEqual(self.publish(seq=2, time=now)[0], 202)
        other = HttpConfig(keys=keys, signed_requests="other")
        [problem] = self.side.needs_restart(other)
        self.assertEqual(problem.path, "http.signed_requests")

    def test_not_written(self) -> None:
        """What cannot be remembered is not done: 503, and the log says why."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve()
        now = self.reactor.seconds()
        self.patch(replay_file.os, "write", lambda *_: 3)
        status, reason = self.publish(time=now)
        self.assertEqual(status, 503)
        self.assertIn("No space left", reason)
        self.assertEqual(self.asked("_publish"), [])
        self.assertIn("http.replays_failed", [each.get("event") for each in logged])
        self.patch(replay_file.os, "write", os.write)

    def test_no_file(self) -> None:
        """A file that cannot be used refuses the configuration, in one line."""
        directory = self.directory / "directory"
        directory.mkdir()
        other, broken = self.directory / "other", self.directory / "broken"
        other.write_text("a letter to somebody\nof two lines")
        broken.write_text("txtokensock signed requests 1 nan\n")
        for path, said in (
            (directory, "cannot be used"),
            (other, "is a file of something else"),
            (broken, "is a file of something else"),
        ):
            problem = self.assertRaises(InvalidOption, self.serve, signed_requests=str(path))
            self.assertIn(said, str(problem))
        self.serve()

    def test_two_bridges(self) -> None:
        """Two with one file would each take what came to the other: the second does not start."""
        self.serve()
        first = self.side
        problem = self.assertRaises(InvalidOption, self.serve)
        self.assertIn("http.signed_requests: ", str(problem))
        self.assertIn("in use by another bridge", str(problem))
        self.side = first
        stopped = first.stopService()
        self.advance(self.stop_timeout + 3)
        self.successResultOf(stopped)
        self.serve()

    def test_stopped_and_started(self) -> None:
        """One that starts again knows what came before."""
        self.serve()
        now = self.reactor.seconds()
        self.assertEqual(self.publish(time=now)[0], 202)
        self._stop()
        self.side.startService()
        self.assertTrue(self.side.state().up)
        self.assertEqual(self.publish(time=now)[0], 401)

    def test_another_directory(self) -> None:
        """Where the process runs may change after the file was read."""
        before = Path.cwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.directory)
        self.serve(signed_requests="here")
        os.chdir(before)
        self.assertEqual(self.publish()[0], 202)
        self.assertTrue((self.directory / "here").exists())

    def test_open_to_others(self) -> None:
        """A file that others could read or write is made 0600."""
        path = self.directory / "signed-requests"
        path.touch()
        path.chmod(0o666)
        self.serve()
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_reload_without_a_file(self) -> None:
        """
        Keys of which one is signed, and a file that cannot be used: nothing changes, and that
        is said before anything does.
        """
        HttpTestCase.serve(self, self.key("a", "secret-a"))
        keys = (self.key("s", "secret-s", scheme="signed"),)
        path = str(self.directory / "nowhere" / "file")
        [problem] = self.side.needs_restart(HttpConfig(keys=keys, signed_requests=path))
        self.assertEqual(problem.path, "http.signed_requests")
        self.assertIn("No such file", problem.message)

    def test_time(self) -> None:
        """It must be of now, more or less; not a second time, whatever the tolerance becomes."""
        self.serve(signature_tolerance=60.0)
        self.advance(100)
        now = self.reactor.seconds()
        for time, status in (
            (now - 59, 202),
            (now + 59, 202),
            (now - 61, 401),
            (now + 61, 401),
            (NOW - 1, 401),
            (NOW, 401),
        ):
            self.assertEqual(self.publish(time=time)[0], status, time - now)
        self.advance(60)
        self.assertEqual(self.publish(seq=2)[0], 202)
        self.side.reload(HttpConfig(keys=self.side._section.keys, signature_tolerance=1e6))
        self.assertEqual(self.publish(time=now - 59)[0], 401)

    def test_wrong(self) -> None:
        """401 for another key, secret or body; who has no key learns which keys there are not."""
        self.serve()
        for options in ({"key": "myapp2"}, {"secret": "wrong"}, {"key": ""}):
            self.assertEqual(
                self.publish(**options), (401, "the key is not known, or the signature is not its")
            )

        def other_body(query: dict[str, Any]) -> None:
            query["nonce"] = "4712"

        self.assertEqual(self.publish(change=other_body)[0], 401)
        # A bearer's key signs nothing, and the other way round.
        reply = self.ask("/publish", self.BODY, headers=bearer("kkjH68GiuUZ"))
        self.assertEqual(reply.error[:2], UNKNOWN)

    def test_malformed(self) -> None:
        """400 with the reason, for each parameter that is missing, double or no such thing."""
        self.serve()
        for name in ("key", "timestamp", "seq", "nonce", "signature"):
            for change in (
                lambda query, name=name: query.pop(name),
                lambda query, name=name: query.update({name: [query[name]] * 2}),
            ):
                status, reason = self.publish(change=change)
                self.assertEqual(
                    (status, reason), (400, f"a signed request has one {name!r} in its query")
                )
        for name, value in (
            ("seq", "x"),
            ("seq", "-1"),
            ("seq", "1_0"),
            ("seq", ""),
            ("nonce", "1.5"),
            ("nonce", "9" * 21),
            ("nonce", "\u0661"),
            ("timestamp", "2011-10-14"),
            ("timestamp", "2011-10-14T16:59:51.123"),
            ("timestamp", "2011-13-14T16:59:51.123Z"),
            ("timestamp", "notatimestamp"),
        ):
            status, reason = self.publish(
                change=lambda query, n=name, v=value: query.update({n: v})
            )
            self.assertEqual(status, 400, value)
            self.assertTrue(reason.startswith(f"{name} must be"), reason)

    def test_get(self) -> None:
        """A GET is signed with an empty body."""
        self.serve()
        reply = self.successResultOf(
            self.signed("/metrics", b"", "myapp1", "kkjH68GiuUZ", method="GET")
        )
        self.assertEqual(reply.error[:2], (403, "wamp.error.not_authorized"))


class ReplaysTests(HttpTestCase):
    """What is remembered of signed requests."""

    def test_bounded(self) -> None:
        """What makes room cannot come again, nor what is older; what is newer can come."""
        replays = Replays(limit=3)
        for time in (5.0, 3.0, 4.0, 6.0):
            self.assertTrue(replays.is_new(b"k", b"%d" % time, time, 0.0))
        self.assertFalse(replays.is_new(b"k", b"3", 3.0, 0.0))
        self.assertFalse(replays.is_new(b"k", b"new", 2.0, 0.0))
        self.assertFalse(replays.is_new(b"k", b"4", 4.0, 0.0))
        self.assertTrue(replays.is_new(b"k", b"new", 4.5, 0.0))

    def test_keys_are_apart(self) -> None:
        """One that sends a lot takes nothing from another."""
        replays = Replays(limit=1)
        for time in (8.0, 9.0):
            self.assertTrue(replays.is_new(b"busy", b"%d" % time, time, 0.0))
        self.assertTrue(replays.is_new(b"idle", b"1", 1.0, 0.0))

    def test_forgotten(self) -> None:
        """What is too old to be taken is not remembered, and stays too old."""
        replays = Replays()
        self.assertTrue(replays.is_new(b"k", b"1", 1.0, 0.0))
        self.assertTrue(replays.is_new(b"k", b"2", 9.0, 5.0))
        self.assertEqual(replays._keys[b"k"].digests, {b"2"})
        self.assertFalse(replays.is_new(b"k", b"1", 1.0, 0.0))

    last = Replays()

    def replays(self, limit: int = 100) -> Replays:
        """As after a restart."""
        self.last.close()
        self.last = Replays(limit)
        self.last.keep(ReplayFile(str(self.directory / "signed")))
        self.addCleanup(self.last.close)
        return self.last

    def test_generations(self) -> None:
        """
        The file stays small, and at each restart it is known of every request in reach that it
        came, and nothing is taken that is older than what was thrown away.
        """
        self.patch(replay_file, "_GENERATION", 5)
        replays = self.replays()
        for time in range(100):
            oldest = time - 10.0
            self.assertTrue(replays.is_new(b"k", b"%d" % time, float(time), oldest))
            if time % 7 == 0:
                replays = self.replays()
                for before in range(max(0, time - 10), time + 1):
                    self.assertFalse(replays.is_new(b"k", b"%d" % before, before, oldest))
        replays = self.replays()
        for before in range(100):  # the tolerance is longer now
            self.assertFalse(replays.is_new(b"k", b"%d" % before, before, -inf), before)
        self.assertFalse(replays.is_new(b"other", b"new", 60.0, -inf))
        self.assertLess(sum(path.stat().st_size for path in self.directory.iterdir()), 2000)

    def test_cut_off(self) -> None:
        """A line that was cut off takes no other along."""
        replays = self.replays()
        self.assertTrue(replays.is_new(b"k", b"1", 1.0, 0.0))
        with (self.directory / "signed").open("ab") as file:
            file.write(b"\n17000")
        self.assertTrue(replays.is_new(b"k", b"2", 2.0, 0.0))
        replays = self.replays()
        for digest, time in ((b"1", 1.0), (b"2", 2.0)):
            self.assertFalse(replays.is_new(b"k", digest, time, 0.0))
