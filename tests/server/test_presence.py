"""
Who is subscribed to a channel, on all servers of a store.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from tests.kit.turns import one_turn
from txtokensock.errors import (
    InvalidChannel,
    InvalidOption,
    StoreUnavailable,
)
from txtokensock.jsontext import loads
from txtokensock.server import Presence

from .support import TokenServer, TwoServersTestCase


class PresenceTests(TwoServersTestCase):
    """Two servers that share a store in memory."""

    picture = ""

    def identity(self, request: Any) -> dict[str, Any]:
        return {**super().identity(request), "picture": self.picture}

    def join(self, server: TokenServer, user: str, channel: str = "c") -> Any:
        """A peer that is subscribed."""
        client = server.authenticated(f"user={user}")
        client.subscribe(channel)
        return client

    def users(self, presence: Presence) -> list[Any]:
        return [identity["user"] for identity in presence.identities if identity]

    def presence(self, channel: str = "c", **options: Any) -> Presence:
        asked = self.one.service.presence(channel, **options)
        for _ in range(100):
            self.clock.advance(0)
        return self.successResultOf(asked)

    def test_all_servers(self) -> None:
        """The peers of both are counted, with who they are, and nobody of another channel."""
        self.assertEqual((self.presence().count, self.presence().servers), (0, 2))
        self.join(self.one, "ada")
        client = self.join(self.two, "bob")
        self.join(self.two, "eve", "d")
        presence = self.presence()
        self.assertEqual((presence.count, self.users(presence)), (2, ["ada", "bob"]))
        self.assertEqual((presence.servers, presence.silent, presence.lease), (2, 0, 10.0))
        client.drop()
        self.assertEqual(self.users(self.presence()), ["ada"])

    def test_limit(self) -> None:
        """The count is always that of all; identities come as many as are wanted."""
        for server in (self.one, self.two):
            for number in range(3):
                self.join(server, str(number))
        for limit, names in ((0, []), (1, ["0"]), (5, ["0", "1", "2", "0", "1"])):
            presence = self.presence(limit=limit)
            self.assertEqual((presence.count, self.users(presence)), (6, names))
        self.assertEqual(self.presence(limit=10_000).count, 6)

    def test_slices(self) -> None:
        """A long answer comes in parts, and a server does other things between them."""
        for _ in range(100):
            self.join(self.two, "bob")
        asked = self.one.service.presence("c", limit=70)
        self.assertNoResult(asked)
        one_turn(self.clock)
        self.assertNoResult(asked)
        one_turn(self.clock)
        presence = self.successResultOf(asked)
        self.assertEqual((presence.count, len(presence.identities)), (100, 70))

    def test_large_identities(self) -> None:
        """Of large identities fewer are sent: a server's answer is bounded in bytes."""
        self.picture = "x" * 60_000
        for _ in range(20):
            self.join(self.two, "bob")
        presence = self.presence()
        self.assertEqual((presence.count, len(presence.identities)), (20, 17))

    def test_bad_questions(self) -> None:
        """What cannot be asked fails by name."""
        for channel, limit, error in (
            ("", 1, InvalidChannel),
            ("___all___", 1, InvalidChannel),
            ("c", -1, InvalidOption),
            ("c", 10_001, InvalidOption),
            ("c", True, InvalidOption),
        ):
            self.failureResultOf(self.one.service.presence(channel, limit=limit), error)

    def test_not_running(self) -> None:
        """A server that does not run knows nobody; one that stops fails who waits."""
        for _ in range(100):
            self.join(self.two, "bob")
        asked = self.one.service.presence("c")
        self.assertNoResult(asked)
        self.successResultOf(self.one.service.stopService())
        self.failureResultOf(asked, StoreUnavailable)
        self.failureResultOf(self.one.service.presence("c"), StoreUnavailable)

    def test_cancelled(self) -> None:
        """Who does not want the answer any more has no timer left behind."""
        for _ in range(100):
            self.join(self.two, "bob")
        before = len(self.clock.getDelayedCalls())
        asked = self.one.service.presence("c")
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.clock.advance(0)
        self.assertLessEqual(len(self.clock.getDelayedCalls()), before + 1)

    def test_silent_server(self) -> None:
        """One that does not answer is not waited for, and said to be silent."""
        self.join(self.one, "ada")
        self.two.service._hub.answer = lambda question, reply: None  # type: ignore[method-assign]
        asked: Deferred[Presence] = self.one.service.presence("c")
        self.clock.advance(4.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        presence = self.successResultOf(asked)
        self.assertEqual((presence.count, presence.servers, presence.silent), (1, 1, 1))

    def test_answer_cut_off(self) -> None:
        """A server that goes in the middle of its answer leaves no more names than it counted."""
        for _ in range(100):
            self.join(self.two, "bob")
        asked = self.one.service.presence("c")
        one_turn(self.clock)
        self.two.service._context.slices.stop()
        self.clock.advance(5)
        presence = self.successResultOf(asked)
        self.assertEqual((presence.count, presence.servers, presence.silent), (100, 1, 1))
        self.assertEqual(len(presence.identities), 64)

    def test_broken_servers(self) -> None:
        """What a broken one asks or answers does no harm to who hears it."""
        self.join(self.one, "ada")
        replies: list[bytes] = []
        for limit in (2**70, -(2**70)):
            question = b'{"presence":"c","limit":%d}' % limit
            self.one.service._hub.answer(question, lambda part, last: replies.append(part))
        self.assertEqual([loads(reply)["count"] for reply in replies], [1, 1])
        for part in (b"1e999", b'"\xff"', b"[" * 5000 + b"]" * 5000):
            answer = b'{"count":1,"identities":[%b]}' % part
            self.two.service._hub.answer = lambda _, reply, a=answer: reply(a, True)  # type: ignore[method-assign,misc]
            self.assertEqual(self.users(self.presence()), ["ada"])

    def test_changed_identities(self) -> None:
        """One that the application made no JSON any more is counted, and not named."""
        for user in ("ada", "bob"):
            self.join(self.one, user)
        identity = self.one.service.peers()[0].auth
        assert isinstance(identity, dict)
        identity["database"] = object()
        presence = self.presence()
        self.assertEqual((presence.count, self.users(presence)), (2, ["bob"]))

    def test_unknown_question(self) -> None:
        """What a later version asks is not answered, and does no harm."""
        for question in (b"{}", b"null", b'{"presence":5}'):
            self.one.service._hub.answer(question, lambda *_: self.fail("answered"))
