"""A session over a connection of our own: what its end is called."""

from __future__ import annotations

import os
from typing import Any

from autobahn.wamp import message as wire
from autobahn.wamp.types import Challenge, CloseDetails
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.config.wamp import WampAuthentication, WampConfig
from txtokensock.bridge.wamp.realm import JoinRefused, RealmLost
from txtokensock.bridge.wamp.router_session import RouterSession
from txtokensock.config.section import Secret
from txtokensock.errors import InvalidOption

from .test_wamp_session import Transport


class JoinTests(SynchronousTestCase):
    """The first message to the router."""

    def hello(self, authentication: WampAuthentication | None) -> Any:
        """What a session says once it is connected."""
        section = WampConfig(url="ws://router.test/ws", realm="r", authentication=authentication)
        session, transport = RouterSession(section, Clock()), Transport()
        session.onOpen(transport)
        [hello] = transport.sent
        return hello

    def test_anonymous(self) -> None:
        """Without an identity only the realm is named."""
        hello = self.hello(None)
        self.assertEqual((hello.realm, hello.authmethods, hello.authid), ("r", None, None))

    def test_identity(self) -> None:
        """An identity is named with its method."""
        hello = self.hello(WampAuthentication("ticket", "ada", Secret(env="TICKET")))
        self.assertEqual((hello.realm, hello.authmethods, hello.authid), ("r", ["ticket"], "ada"))


class ChallengeTests(SynchronousTestCase):
    """The router wants a proof."""

    def session(self, **options: Any) -> RouterSession:
        """One whose connection is open."""
        section = WampConfig(url="ws://router.test/ws", realm="r", **options)
        session = RouterSession(section, Clock())
        session.onOpen(Transport())
        return session

    def test_ticket(self) -> None:
        """The ticket is the proof; another method than the one that was named is refused."""
        self.patch(os, "environ", {"TICKET": "secret"})
        who = WampAuthentication("ticket", "ada", Secret(env="TICKET"))
        session = self.session(authentication=who)
        self.assertEqual(session.onChallenge(Challenge("ticket", {})), "secret")
        self.assertRaises(InvalidOption, session.onChallenge, Challenge("wampcra", {}))
        anonymous = self.session()
        self.assertRaises(InvalidOption, anonymous.onChallenge, Challenge("ticket", {}))

    def test_cannot_be_answered(self) -> None:
        """Then that is why the realm is not joined, and not what the router says of it."""
        session = self.session()
        session.onUserError(Failure(InvalidOption("no such file")), "while authenticating")
        session.onLeave(CloseDetails("wamp.error.cannot_authenticate", None))
        session.wire_lost(Failure(ConnectionDone()))
        session.wire_lost(Failure(ConnectionDone()))
        failed = self.failureResultOf(session.joined, InvalidOption)
        self.assertEqual(str(failed.value), "no such file")

    def test_error_later(self) -> None:
        """What Autobahn catches in a session that is joined is logged."""
        session = self.session()
        session.joined.callback(None)
        session.onUserError(Failure(ZeroDivisionError()), "in an event")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_joined_too_late(self) -> None:
        """Whoever waited has gone: the connection ends."""
        session, transport = self.session(), Transport()
        session._transport = transport
        session.joined.addErrback(lambda _: None).cancel()
        session.onJoin(None)
        self.assertTrue(transport.aborted)

    def test_dropped_twice(self) -> None:
        """The first reason is the reason."""
        session = self.session()
        session.joined.callback(None)
        lost: list[Any] = []
        session.on_lost = lost.append
        for why in ("silence", "and silence"):
            session.drop(why)
        session.wire_lost(Failure(ConnectionDone()))
        self.assertEqual([str(each.value) for each in lost], ["dropped: silence"])


class EndTests(SynchronousTestCase):
    """The router says goodbye."""

    def setUp(self) -> None:
        self.session = RouterSession(WampConfig(url="ws://router.test/ws", realm="r"), Clock())
        self.lost: list[Any] = []
        self.session.on_lost = self.lost.append
        self.details = CloseDetails("wamp.close.killed", "you are too slow")

    def test_before_joining(self) -> None:
        """That is a refusal."""
        self.session.onLeave(self.details)
        self.session.wire_lost(Failure(ConnectionDone()))
        refused = self.failureResultOf(self.session.joined, JoinRefused)
        self.assertIn("the router refused us: wamp.close.killed", str(refused.value))
        self.assertEqual(self.lost, [])

    def test_in_the_middle(self) -> None:
        """That is a loss, of which it is said what is missing."""
        self.session.joined.callback(None)
        self.session.onLeave(self.details)
        self.session.wire_lost(Failure(ConnectionDone()))
        [lost] = self.lost
        lost.trap(RealmLost)
        self.assertIn("ended the session: wamp.close.killed you are too slow", str(lost.value))
        self.assertIn("events of topics are missing", str(lost.value))

    def test_our_end(self) -> None:
        """The router agrees to that: it has not ended anything."""
        self.session.joined.callback(None)
        transport = Transport()
        self.session._transport = transport
        self.session._session_id = 1
        self.session.close()
        self.session.onLeave(CloseDetails("wamp.close.goodbye_and_out", None))
        self.session.onClose(True)
        self.session.wire_lost(Failure(ConnectionDone()))
        [lost] = self.lost
        self.assertEqual(str(lost.value), "Connection was closed cleanly.")

    def test_connection_lost(self) -> None:
        """Autobahn says that of a connection that is gone: the router has said nothing."""
        self.session.joined.callback(None)
        self.session.onLeave(CloseDetails(CloseDetails.REASON_TRANSPORT_LOST, "the transport"))
        self.session.wire_lost(Failure(ConnectionDone()))
        [lost] = self.lost
        self.assertEqual(str(lost.value), "Connection was closed cleanly.")


class PingTests(SynchronousTestCase):
    """Every ten seconds the router has to prove that it lives, within three."""

    def setUp(self) -> None:
        self.clock = Clock()
        section = WampConfig(url="ws://router.test/ws", realm="r", ping=10.0, ping_timeout=3.0)
        self.session = RouterSession(section, self.clock)
        self.transport = Transport()
        self.session._transport = self.transport
        self.session._session_id = 1
        self.session.onJoin(None)
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.session.onClose(True)
        self.session.wire_lost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def advance(self, seconds: int, *, events: bool = False) -> None:
        """Time passes, second by second."""
        for _ in range(seconds):
            if events:
                self.session.onMessage(wire.Event(99, 1))
            self.clock.advance(1)

    def test_answers(self) -> None:
        """An answer of any kind, time after time."""
        for answer in (wire.Result, lambda request: wire.Error(48, request, "com.no")) * 3:
            self.advance(10)
            self.session.onMessage(answer(self.transport.sent[-1].request))
        self.assertFalse(self.transport.aborted)

    def test_silent(self) -> None:
        """No answer, and nothing else."""
        self.advance(12)
        self.assertFalse(self.transport.aborted)
        self.advance(1)
        self.assertTrue(self.transport.aborted)
        lost: list[Any] = []
        self.session.on_lost = lost.append
        self.session.onLeave(CloseDetails(CloseDetails.REASON_TRANSPORT_LOST, "the transport"))
        self.session.wire_lost(Failure(ConnectionDone()))
        self.assertEqual(str(lost[0].value), "dropped: no sign of life within 3 seconds")

    def test_behind_events(self) -> None:
        """While events come, the answer may take any time; only then it is too late."""
        self.advance(300, events=True)
        self.assertFalse(self.transport.aborted)
        self.assertEqual(len(self.transport.sent), 1)
        self.advance(6)
        self.assertTrue(self.transport.aborted)
