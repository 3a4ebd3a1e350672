"""Peers and tokens while the store cannot be asked, or keeps what is no identity."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import StoreUnavailable
from txtokensock.server import MemoryStore
from txtokensock.server.hub import DROP
from txtokensock.server.tokens import spend

from .support import ServerTestCase

AUTH = {"rpc": "auth", "token": "0b0c21f1-97c6-4d0c-8f0e-2fbd2f6c4d5a", "uuid": "1"}


class AuthenticationTests(ServerTestCase):
    """A token that cannot be looked up."""

    def setUp(self) -> None:
        super().setUp()
        self.store = MemoryStore()
        self.server = self.serve(store=self.store)

    def breaks(self, problem: Exception) -> None:
        """From now on each token fails."""
        (link,) = self.store._links
        self.patch(link, "spend_token", lambda token: fail(problem))

    def test_unavailable(self) -> None:
        """Who is not let in yet is sent away with a code that says to come back."""
        client = self.server.client()
        self.breaks(StoreUnavailable("no Redis"))
        self.assertEqual(client.ask(AUTH)["error"], "Store unavailable")
        self.assertEqual(client.texts(), [])
        self.assertEqual(client.closed, (4504, "Store unavailable"))

    def test_unavailable_later(self) -> None:
        """Who is let in already stays."""
        client = self.server.authenticated()
        self.breaks(StoreUnavailable("no Redis"))
        self.assertEqual(client.ask(AUTH)["error"], "Store unavailable")
        self.assertEqual((client.texts(), client.closed), ([], None))

    def test_failure(self) -> None:
        """Another failure is logged, and tells a stranger nothing."""
        client = self.server.client()
        self.breaks(ZeroDivisionError("secret"))
        error = client.ask(AUTH)["error"]
        self.assertNotIn("secret", str(error))
        client.texts()
        self.assertEqual(client.closed, (4403, "Authentication refused"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_subscription(self) -> None:
        """Who cannot be subscribed in the store is not subscribed at all."""
        client = self.server.authenticated()
        (link,) = self.store._links
        self.patch(link, "subscribe", lambda channel: fail(StoreUnavailable("no Redis")))
        message = {"rpc": "_subscribe", "req": {"channel": "c"}, "uuid": "2"}
        self.assertEqual(client.ask(message)["error"], "Store unavailable")
        self.assertEqual(self.server.service.channels(), [])


class TokenTests(SynchronousTestCase):
    """What the store keeps may be another program's."""

    def test_spend(self) -> None:
        """Only an object is an identity; only a UUID is looked up."""
        asked: list[str] = []

        class Link:
            kept = b""

            def spend_token(self, token: str) -> Deferred[bytes]:
                asked.append(token)
                return succeed(self.kept)

        link: Any = Link()
        for link.kept in (b"no JSON", b"null", b"[1]", b'"ada"'):
            spent = Deferred.fromCoroutine(spend(link, AUTH["token"]))
            self.assertIsNone(self.successResultOf(spent))
        link.kept = b'{"user":"ada"}'
        for token, identity in ((AUTH["token"], {"user": "ada"}), ("*", None)):
            spent = Deferred.fromCoroutine(spend(link, token))
            self.assertEqual(self.successResultOf(spent), identity)
        self.assertEqual(len(asked), 5)


class GoneTests(ServerTestCase):
    """A peer that is gone, and a server that is not there yet."""

    def test_peer_that_is_gone(self) -> None:
        """Nothing happens to it any more, and nothing fails."""
        server = self.serve()
        client = server.authenticated()
        (peer,) = server.service.peers()
        client.drop()
        hub = server.service._context.hub
        hub.tell(peer, b"{}")
        hub.unsubscribe(peer, "c")
        ended: list[bool] = []
        subscribed = hub.subscribe(peer, "c", lambda: ended.append(True))
        self.assertIsNone(self.successResultOf(subscribed))
        self.assertEqual((ended, hub.channels(), hub.channels_of(peer)), ([True], [], []))
        self.assertTrue(hub.has_room(peer, "c", 0))

    def test_server_that_is_not_started(self) -> None:
        """It refuses its own channels, and nobody else's."""
        hub = self.serve(start=False).service._context.hub
        self.assertEqual([hub.refuses("___all___"), hub.refuses("c")], [True, False])

    def test_drop(self) -> None:
        """It is shown by its name."""
        self.assertEqual(repr(DROP), "DROP")
