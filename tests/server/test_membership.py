"""
Who joins and leaves, as the application is told.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail

from tests.kit.turns import one_turn
from txtokensock.server import Peer

from .support import Client, ServerTestCase, TokenServer


class MembershipTests(ServerTestCase):
    """Functions for ``join`` and ``leave``."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[tuple[str, Any, str]] = []

    def start(self, *channels: str, **options: Any) -> tuple[TokenServer, Client]:
        """A server that tells, and a client that has joined the channels."""
        server = self.serve(**options)
        for event in ("join", "leave"):
            server.service.on(
                event, lambda peer, channel, e=event: self.told.append((e, peer.auth, channel))
            )
        client = server.authenticated()
        client.subscribe(*channels)
        return server, client

    def heard(self, server: TokenServer) -> list[tuple[str, str]]:
        server.turn()
        told, self.told = self.told, []
        for _, identity, _ in told:
            self.assertEqual(identity, {"user": "ada"})
        return [(event, channel) for event, _, channel in told]

    def test_each_once(self) -> None:
        """A subscription and its end are told once, whoever caused them, with who it was."""
        server, client = self.start("c", "c", "d")
        self.assertEqual(self.heard(server), [("join", "c"), ("join", "d")])
        client.ask({"rpc": "_unsubscribe", "req": {"channel": "c"}})
        client.ask({"rpc": "_unsubscribe", "req": {"channel": "c"}})
        self.assertEqual(self.heard(server), [("leave", "c")])
        peer = server.service.peers()[0]
        server.service.subscribe(peer, "e")
        server.service.unsubscribe(peer, "d")
        server.service.unsubscribe_all("e")
        self.assertEqual(self.heard(server), [("join", "e"), ("leave", "d"), ("leave", "e")])
        client.subscribe("f")
        client.drop()
        self.assertEqual(self.heard(server), [("join", "f"), ("leave", "f")])

    def test_refused(self) -> None:
        """Who may not subscribe has not joined."""
        server = self.serve()
        server.service.on("subscribe", lambda peer, channel: False)
        for event in ("join", "leave"):
            server.service.on(event, lambda *_: self.fail("told"))
        client = server.authenticated()
        client.ask({"rpc": "_subscribe", "req": {"channel": "c"}})
        client.drop()
        server.turn()

    def test_stop(self) -> None:
        """At the end all have left, and that is told before the stop is over."""
        server, _ = self.start("c", "d")
        self.heard(server)
        stopped = server.service.stopService()
        server.turn(server.service._context.limits.shutdown_timeout)
        self.successResultOf(stopped)
        self.assertEqual(self.heard(server), [("leave", "c"), ("leave", "d")])

    def test_stops(self) -> None:
        """A function may stop the server, when the last one has left: each end is told once."""
        server, client = self.start("c", "d")
        server.service.on("leave", lambda *_: server.service.stopService())
        self.heard(server)
        client.drop()
        self.assertEqual(self.heard(server), [("leave", "c"), ("leave", "d")])
        self.successResultOf(server.service.stopService())
        server.service.startService()
        server.authenticated().subscribe("e")
        self.assertEqual(self.heard(server), [("join", "e")])

    def test_many(self) -> None:
        """Many changes at once are told in order, in several turns."""
        channels = [str(number) for number in range(200)]
        server, client = self.start(*channels)
        self.heard(server)
        client.drop()
        one_turn(server.clock)
        self.assertLess(len(self.told), 200)
        self.assertEqual(self.heard(server), [("leave", channel) for channel in channels])

    def test_changes_meanwhile(self) -> None:
        """A function may change subscriptions, whose changes are told after it."""
        server = self.serve()

        def joined(peer: Peer, channel: str) -> Any:
            self.told.append(("join", peer.auth, channel))
            if channel == "c":
                server.service.unsubscribe(peer, "c")
                return server.service.subscribe(peer, "d")
            return Deferred()

        server.service.on("join", joined)
        server.service.on("leave", lambda peer, c: self.told.append(("leave", peer.auth, c)))
        server.authenticated().subscribe("c")
        self.assertEqual(self.heard(server), [("join", "c"), ("leave", "c"), ("join", "d")])

    def test_failures(self) -> None:
        """What a function raises is logged, and the others are called all the same."""

        async def bug(peer: Peer, channel: str) -> None:
            raise KeyError("bug")

        def stop(peer: Peer, channel: str) -> None:
            raise SystemExit

        for function in (bug, stop, lambda peer, channel: fail(KeyError("bug"))):
            server = self.serve()
            server.service.on("join", function)
            server.service.on("join", lambda peer, c: self.told.append(("join", peer.auth, c)))
            server.authenticated().subscribe("c", "d")
            self.assertEqual(self.heard(server), [("join", "c"), ("join", "d")])
        self.assertEqual(len(self.flushLoggedErrors()), 6)

    def test_removed(self) -> None:
        """Functions are removed as hooks are."""
        server = self.serve()
        heard: list[str] = []

        def joined(peer: Peer, channel: str) -> None:
            heard.append(channel)

        server.service.on("join", joined)
        server.service.remove_hook("join", joined)
        server.authenticated().subscribe("c")
        server.turn()
        self.assertEqual(heard, [])
