"""
A connection whose identity expires is authenticated with a fresh token: a real server and its
clients, in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import TokenSocket
from txtokensock.errors import SockJSClosed
from txtokensock.server import TokenSocketServer
from txtokensock.testing import MemoryServer

from ..common import Calls


class RenewalTests(SynchronousTestCase):
    """An application that says for how long each identity holds."""

    def setUp(self) -> None:
        self.lifetime: Any = 600
        self.tokens = 0
        self.allows = True
        self.identity: Any = None
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)

    def connected(self, *, acks: bool = True, **options: Any) -> TokenSocket:
        """A client that is ready, at second 1000."""
        self.memory = MemoryServer(
            lambda clock: TokenSocketServer(
                self.authenticate,
                actions={"slow": self.slow},
                acks=acks,
                reactor=clock,
            )
        )
        self.memory.clock.rightNow = 1000.0
        client = self.memory.client(**options)
        self.losses = Calls()
        client.on("disconnect", self.losses)
        client.startService()
        self.memory.settle()
        self.addCleanup(self.end, client)
        return client

    def slow(self, data: Any, peer: Any) -> Any:
        """An action that takes two seconds."""
        return deferLater(self.memory.clock, 2, lambda: data)

    def end(self, client: TokenSocket) -> None:
        """Both are stopped, and no timer is left."""
        client.end()
        self.memory.server.stopService()
        self.memory.advance(10)
        self.assertEqual(self.memory.clock.getDelayedCalls(), [])

    def authenticate(self, request: Any) -> Any:
        """A number for each token, so that one can be told from the next."""
        self.tokens += 1
        if not self.allows:
            return None
        if self.identity is not None:
            return self.identity
        identity = {"token": self.tokens}
        if self.lifetime is not None:
            identity["expires"] = self.memory.clock.seconds() + self.lifetime
        return identity

    @property
    def identities(self) -> list[Any]:
        """Of the peers that the server has."""
        return [peer.auth and peer.auth["token"] for peer in self.memory.server.peers()]

    def refusals(self) -> int:
        """How often the log said that there is no fresh token."""
        return sum(each.get("event") == "client.not_renewed" for each in self.logged)

    def test_renewed(self) -> None:
        """A minute before the end, again and again; the connection and its calls go on."""
        client = self.connected()
        self.memory.advance(539)
        self.assertEqual(self.identities, [1])
        call = client.rpc("slow", 5)
        self.memory.advance(1.5)
        self.assertEqual(self.identities, [2])
        self.assertNoResult(call)
        self.memory.advance(1)
        self.assertEqual(self.successResultOf(call), 5)
        self.memory.advance(5400)
        self.assertEqual((self.identities, self.losses), ([12], []))
        self.lifetime = None
        self.memory.advance(5400)
        self.assertEqual((self.identities, self.losses), ([13], []))

    def test_short(self) -> None:
        """Where an identity holds for less than two minutes, at half of its time."""
        self.lifetime = 10
        self.connected()
        self.memory.advance(4.9)
        self.assertEqual(self.identities, [1])
        self.memory.advance(0.2)
        self.assertEqual((self.identities, self.losses), ([2], []))

    def test_refused(self) -> None:
        """Without a fresh token the server ends it, and the client comes back when it may."""
        self.connected()
        self.allows = False
        self.memory.advance(599)
        self.assertEqual((self.identities, self.losses), ([1], []))
        self.assertGreater(self.refusals(), 3)
        self.memory.advance(2)
        (error,) = self.losses
        self.assertIsInstance(error, SockJSClosed)
        self.assertEqual((error.code, error.reason), (4419, "Identity expired"))
        self.allows = True
        self.memory.advance(60)
        self.assertEqual(len(self.identities), 1)

    def test_refused_for_a_while(self) -> None:
        """A later attempt succeeds, and the connection stays."""
        self.connected()
        self.allows = False
        self.memory.advance(541)
        self.allows = True
        self.memory.advance(540)
        self.assertEqual((len(self.identities), self.losses), (1, []))

    def test_not_announced(self) -> None:
        """What does not know of it, as a JavaScript client, is closed, and comes back."""
        self.connected(acks=False)
        self.memory.advance(599)
        self.assertEqual(self.identities, [1])
        self.memory.advance(2)
        (error,) = self.losses
        self.assertEqual(error.code, 4419)
        self.assertEqual(self.identities, [2])

    def test_expired_token(self) -> None:
        """A token whose identity has expired is refused."""
        self.lifetime = 0
        self.connected()
        self.assertEqual(self.identities, [])
        self.memory.advance(5)
        self.assertGreater(self.tokens, 1)

    def test_no_time(self) -> None:
        """What is not a number says nothing, and a very late end is none."""
        for expires in ("soon", True, None, [1], 1e300, 2**63, 10**400):
            self.identity = {"token": 0, "expires": expires}
            client = self.connected()
            self.memory.advance(5000)
            self.assertEqual((self.identities, self.losses), ([0], []), expires)
            self.end(client)

    def test_ended(self) -> None:
        """A client that ends while it renews leaves nothing behind; see ``end``."""
        client = self.connected()
        self.memory.server.on("authentication", lambda peer, identity: Deferred())
        self.memory.advance(545)
        client.end()
        self.memory.advance(1)
        self.assertEqual(self.refusals(), 0)
