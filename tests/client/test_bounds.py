"""
Nothing grows for as long as a client runs.
"""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import globalLogPublisher

from txtokensock.testing import ScriptedTokenRequest

from ..common import Calls, ServerTestCase
from .support import SubscriptionTestCase, take


class IterationTests(SubscriptionTestCase):
    """Loops over subscriptions."""

    def test_polling(self) -> None:
        """A message waited for in vain, with a deadline, leaves nothing behind."""
        iterator = aiter(self.subscribed())

        def poll() -> None:
            polling = Deferred.fromCoroutine(take(iterator, 1))
            polling.cancel()
            self.failure(polling, CancelledError)

        poll()
        before = self.deferreds()
        for _ in range(100):
            poll()
        self.assertEqual(self.deferreds(), before)
        taking = Deferred.fromCoroutine(take(iterator, 1))
        self.publish(1)
        self.assertEqual(self.successResultOf(taking), [1])

    def deferreds(self) -> int:
        """How many there are."""
        gc.collect()
        return sum(type(thing) is Deferred for thing in gc.get_objects())

    def test_cancelled_in_the_end(self) -> None:
        """A loop may cancel another when it hears of the end."""
        subscription = self.subscribed()
        loops = [Deferred.fromCoroutine(take(aiter(subscription), 1)) for _ in range(2)]
        loops[0].addErrback(lambda _: loops[1].cancel())
        subscription.unsubscribe()
        self.failure(loops[1], CancelledError)

    def test_flood_before_auth(self) -> None:
        """
        A connection must be read until ``auth`` is answered: where messages flood in before
        that, the oldest make room.
        """
        subscription = self.subscribed()
        iterator = aiter(subscription)
        self.server.script(auth="ignore")
        self.session.drop()
        self.advance(1)
        self.session.send(*({"channel": "c", "message": number} for number in range(1000)))
        self.session.accept_auth()
        self.settle()
        self.assertTrue(self.socket.connected)
        self.assertEqual(subscription.dropped, 996)
        self.assertFalse(self.reading)
        taking = Deferred.fromCoroutine(take(iterator, 4))
        self.assertEqual(self.successResultOf(taking), [996, 997, 998, 999])
        self.assertTrue(self.reading)


class LogTests(SubscriptionTestCase):
    """What a server can make the client log."""

    def test_unsolicited_errors(self) -> None:
        """Without a listener they are logged once a connection, with one each is heard."""
        logged: list[str] = []

        def note(event: dict[str, Any]) -> None:
            if "error" in event:
                logged.append(str(event["error"]))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)
        self.session.send(*({"error": f"no {number}"} for number in range(100)))
        self.settle()
        self.assertEqual([text.rpartition(": ")[2] for text in logged], ["no 0"])
        self.session.drop()
        self.advance(1)
        self.session.send(*({"error": f"no {number}"} for number in range(100, 200)))
        self.settle()
        self.assertEqual([text.rpartition(": ")[2] for text in logged], ["no 0", "no 100"])
        errors = Calls()
        self.socket.on("error", errors)
        self.session.send({"error": 1}, {"error": 2})
        self.settle()
        self.assertEqual([error.error for error in errors], [1, 2])


class CookieTests(ServerTestCase):
    """Cookies of the token route."""

    def test_many(self) -> None:
        """The newest fifty are kept, and none that is larger than any browser takes."""

        def answer(request: ScriptedTokenRequest) -> None:
            number = len(self.server.tokens)
            token = {"token": self.server.issue_token()}
            cookies = [f"Set-Cookie: c{number}-{each}=x; Path=/" for each in range(30)]
            cookies.append(f"Set-Cookie: large={'x' * 5000}; Path=/")
            request.respond(200, token, "application/json", *cookies)

        self.server.script(token=answer)
        self.ready()
        self.session.drop()
        self.advance(1)
        names = {cookie.partition("=")[0] for cookie in self.session.headers["cookie"].split("; ")}
        self.assertEqual(len(names), 50)
        self.assertLessEqual({f"c2-{each}" for each in range(30)}, names)
