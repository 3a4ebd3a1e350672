"""
The end: of one peer, and of the server.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from tests.kit.turns import one_turn
from txtokensock.errors import ConnectionLost, InvalidOption
from txtokensock.server import MemoryStore, demo

from .support import ServerTestCase, TokenServer

GOING = (4503, "Server shutting down")


class PeerEndTests(ServerTestCase):
    """One peer goes."""

    def test_slow_actions_are_cancelled(self) -> None:
        """Nobody waits for the answer: the action may stop."""
        pending: Deferred[Any] = Deferred()
        server = self.serve(actions={"slow": lambda data, peer: pending})
        client = server.authenticated()
        client.send({"rpc": "slow", "uuid": "u"})
        client.drop()
        self.assertTrue(pending.called)

    def test_thousands_of_requests(self) -> None:
        """They are cancelled in several turns of the reactor, the latest first."""
        cancelled: list[Any] = []
        server = self.serve(
            actions={"slow": lambda data, peer: Deferred(lambda _: cancelled.append(data))}
        )
        client = server.authenticated()
        client.send(*({"rpc": "slow", "req": n} for n in range(1000)))
        client.drop()
        self.assertLess(len(cancelled), 100)
        self.assertEqual(server.service._context.peers.all(), [])
        one_turn(server.clock)
        self.assertLess(len(cancelled), 200)
        server.turn()
        self.assertEqual(cancelled, [*reversed(range(1000))])

    def test_stubborn_actions(self) -> None:
        """An action that will not be cancelled changes nothing when it finishes."""
        stubborn: Deferred[Any] = Deferred()

        async def slow(data: Any, peer: Any) -> None:
            try:
                await Deferred()
            except CancelledError:
                await stubborn
                raise ValueError from None

        server = self.serve(actions={"slow": slow})
        client = server.authenticated()
        client.send({"rpc": "slow", "uuid": "u"})
        client.drop()
        stubborn.callback(None)
        server.turn()

    def test_raising_cancellers(self) -> None:
        """An action that raises while it is cancelled keeps nothing else from its end."""

        def refuse(_: object) -> None:
            raise ValueError("not now")

        last: Deferred[Any] = Deferred()
        pending: list[Deferred[Any]] = [last, Deferred(refuse), Deferred(refuse)]
        server = self.serve(
            actions={"slow": lambda data, peer: pending.pop()}, limits={"call_timeout": 5}
        )
        client = server.authenticated()
        client.send({"rpc": "slow", "uuid": "u"})
        server.turn(5)
        self.assertEqual(client.received(), [{"rpc": "slow", "uuid": "u", "error": "Timeout"}])
        for _ in range(2):
            client.send({"rpc": "slow", "uuid": "u"})
        (peer,) = server.service.peers()
        asked = peer.rpc("name")
        peer.close(4000, "bye")
        client.received()
        self.assertEqual(client.closed, (4000, "bye"))
        self.failureResultOf(asked, ConnectionLost)
        self.assertTrue(last.called)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_action_closes_its_peer(self) -> None:
        """An action may close the peer that called it, before or after it waited."""
        gate: Deferred[None] = Deferred()

        async def later(data: Any, peer: Any) -> None:
            await gate
            peer.close(4000, "bye")

        server = self.serve(
            actions={"now": lambda data, peer: peer.close(4000, "bye"), "later": later}
        )
        for name in ("now", "later"):
            client = server.authenticated()
            client.send({"rpc": name, "uuid": "u"})
            if name == "later":
                gate.callback(None)
            self.assertEqual((client.received(), client.closed), ([], (4000, "bye")))
            client.drop()
        self.assertEqual(server.service.peers(), [])

    def test_what_was_sent_before_the_close_arrives(self) -> None:
        """A close does not overtake messages."""
        server = self.serve()
        client = server.authenticated()
        (peer,) = server.service.peers()
        peer.rpc("a").addErrback(lambda failure: failure.trap(ConnectionLost))
        peer.close()
        self.assertEqual(client.received()[0]["command"], "rpc")
        self.assertEqual(client.closed, (1000, "Normal closure"))

    def test_bad_codes(self) -> None:
        """Codes that no WebSocket can carry are refused."""
        server = self.serve()
        server.authenticated()
        (peer,) = server.service.peers()
        for code, reason in (
            *((999, ""), (1001, ""), (5000, ""), (3000, "é" * 62)),
            *((4000, "\ud800"), (4000, "a\udfffb"), (4000.0, ""), ("4000", ""), (None, "")),
            *((4000, b""), (4000, None)),
        ):
            with self.assertRaises(InvalidOption, msg=repr((code, reason))):
                peer.close(code, reason)  # type: ignore[arg-type]
        self.assertTrue(peer.authenticated)

    def test_no_protocol(self) -> None:
        """An action sees what is for it, and nothing that only the server may call."""
        server = self.serve()
        server.authenticated()
        (peer,) = server.service.peers()
        public = {name for name in dir(peer) if not name.startswith("_")}
        described = {"address", "auth", "authenticated", "channels", "close", "id", "rpc"}
        self.assertEqual(public, described | {"limits"})

    def test_repr(self) -> None:
        """A peer's repr says how it is, and nothing that is secret."""
        server = self.serve()
        client = server.authenticated()
        (peer,) = server.service.peers()
        self.assertEqual(repr(peer), f"<Peer {peer.id} authenticated>")
        self.assertEqual(peer.address.host, "10.0.0.1")
        client.drop()
        self.assertEqual(repr(peer), f"<Peer {peer.id} closed>")


class StopTests(ServerTestCase):
    """The server goes."""

    def start(self, **options: Any) -> TokenServer:
        self.pending: list[Deferred[Any]] = []

        def slow(data: Any, peer: Any) -> Deferred[Any]:
            self.pending.append(Deferred())
            return self.pending[-1]

        return self.serve(actions={**demo.ACTIONS, "slow": slow}, **options)

    def test_idle_peers_are_closed_at_once(self) -> None:
        """Authenticated or not, with code and reason."""
        server = self.start()
        clients = [server.client(), server.authenticated()]
        stopped = server.service.stopService()
        for client in clients:
            self.assertEqual((client.texts(), client.closed), ([], GOING))
            self.assertNoResult(stopped)
            client.drop()
        self.successResultOf(stopped)

    def test_many_peers(self) -> None:
        """They are closed in several turns of the reactor, each with code and reason."""
        server = self.start()
        clients = [server.authenticated() for _ in range(100)]
        stopped = server.service.stopService()
        turns = 0
        while server.service._context.peers.all() and turns < 100:
            one_turn(server.clock)
            turns += 1
            for client in clients:
                client._read()
                if client.closed:
                    client.drop()
        self.assertGreater(turns, 3)
        self.assertEqual([client.closed for client in clients], [GOING] * 100)
        server.turn()
        self.successResultOf(stopped)

    def test_requests_in_flight_are_answered(self) -> None:
        """What was asked before is answered, what is asked now is refused."""
        server = self.start()
        client = server.authenticated()
        client.send({"rpc": "slow", "uuid": "1"})
        stopped = server.service.stopService()
        client.send({"rpc": "echo", "req": 1, "uuid": "2"})
        self.assertEqual([m.get("error") for m in client.received()], ["Server shutting down"])
        self.assertIsNone(client.closed)
        self.pending[0].callback("done")
        self.assertEqual([m.get("resp") for m in client.received()], ["done"])
        self.assertEqual(client.closed, GOING)
        client.drop()
        self.successResultOf(stopped)

    def test_deadline(self) -> None:
        """What takes too long is cancelled."""
        server = self.start(limits={"shutdown_timeout": 3})
        client = server.authenticated()
        client.send({"rpc": "slow", "uuid": "1"})
        stopped = server.service.stopService()
        server.turn(3)
        self.assertEqual((client.received(), client.closed), ([], GOING))
        self.assertTrue(self.pending[0].called)
        server.turn(5)  # the client does not answer the close
        server.turn()
        self.successResultOf(stopped)

    def test_nobody_new(self) -> None:
        """While it stops, no token is given and no session accepted."""
        server = self.start()
        client = server.authenticated()
        client.send({"rpc": "slow", "uuid": "1"})
        server.service.stopService()
        self.assertEqual(server.get("/socket/token").status, 503)
        self.assertEqual(server.client().closed, GOING)

    def test_again(self) -> None:
        """Stopping twice is stopping once; a started server serves again."""
        server = self.start()
        client = server.authenticated()
        first, second = server.service.stopService(), server.service.stopService()
        client.drop()
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(server.service.stopService())
        server.service.startService()
        server.service.startService()
        self.assertEqual(server.authenticated().rpc("echo", 1), {"resp": 1})

    def test_start_while_it_stops(self) -> None:
        """It starts when it has stopped."""
        server = self.start()
        client = server.authenticated()
        stopped = server.service.stopService()
        server.service.startService()
        self.assertEqual(server.get("/socket/token").status, 503)
        client.drop()
        self.successResultOf(stopped)
        self.assertEqual(server.authenticated().rpc("echo", 1), {"resp": 1})


class DrainTests(ServerTestCase):
    """The server goes, and its peers one after the other."""

    def clients(self, count: int, **options: Any) -> tuple[TokenServer, list[Any]]:
        """A server with so many clients, and an action that is answered by hand."""
        self.pending: Deferred[Any] = Deferred()
        actions = {**demo.ACTIONS, "slow": lambda data, peer: self.pending}
        server = self.serve(actions=actions, **options)
        return server, [server.authenticated() for _ in range(count)]

    def closed(self, clients: list[Any]) -> list[bool]:
        """Which of them were told to go, and have gone."""
        for client in clients:
            client.received()
            if client.closed is not None:
                self.assertEqual(client.closed, GOING)
                client.drop()
        return [client.closed is not None for client in clients]

    def post(self, server: TokenServer, path: str, body: bytes = b"") -> bytes:
        """What a request of a polling session is answered with."""
        return server.connection().request("POST", f"/sockets/000/a/{path}", body=body).body

    def test_evenly(self) -> None:
        """The closes are spread over the time, the oldest peer first; then it is over."""
        server, clients = self.clients(4, drain=8.0)
        stopped = server.service.stopService()
        for gone in (1, 2, 3, 4):
            self.assertEqual(self.closed(clients), [True] * gone + [False] * (4 - gone))
            if gone < 4:
                self.assertNoResult(stopped)
                server.turn(1.9)
                self.assertEqual(self.closed(clients).count(True), gone)
                self.assertEqual(clients[-1].rpc("echo", gone), {"resp": gone})
                server.turn(0.1)
        self.successResultOf(stopped)
        (draining,) = (each for each in self.logged if each.get("event") == "server.draining")
        self.assertEqual((draining["count"], draining["seconds"]), (4, 8.0))

    def test_many(self) -> None:
        """Those that are due between two ticks are closed together, and nobody is late."""
        server, clients = self.clients(200, drain=1.0)
        server.service.stopService()
        for tenth in range(1, 10):
            for _ in range(10):
                server.turn(0.01)
            self.assertIn(self.closed(clients).count(True) - 20 * tenth, range(-5, 2))
        for _ in range(12):
            server.turn(0.01)
        self.assertEqual(self.closed(clients).count(True), 200)

    def test_delay(self) -> None:
        """At first readiness says that it goes, and everything is served, newcomers too."""
        server, [client] = self.clients(1, drain_delay=5.0, drain=1.0)
        server.turn(100.0)
        stopped = server.service.stopService()
        self.assertEqual(
            (server.service.readiness.state, server.service.readiness.ready), ("stopping", False)
        )
        server.turn(4.9)
        newcomer = server.authenticated()
        for each in (client, newcomer):
            self.assertEqual(each.rpc("echo", 1), {"resp": 1})
        server.turn(0.1)
        self.assertEqual(server.get("/socket/token").status, 503)
        late = server.client()
        self.assertEqual(self.closed([late]), [True])
        self.assertEqual(self.closed([client, newcomer]), [True, False])
        self.assertEqual(server.service.readiness.state_since, 100.0)
        server.turn(0.5)
        self.assertEqual(self.closed([newcomer]), [True])
        self.successResultOf(stopped)

    def test_in_flight(self) -> None:
        """What was asked before a peer's turn is answered; what comes later was not begun."""
        server, [busy, other] = self.clients(2, drain=8.0)
        busy.send({"rpc": "slow", "uuid": "1"})
        drained = server.service.drain()
        busy.send({"rpc": "echo", "req": 1, "uuid": "2"})
        refused = {"rpc": "echo", "uuid": "2", "error": GOING[1], "tx": {"leaving": 1}}
        self.assertEqual(busy.received(), [refused])
        server.turn(4.0)
        self.assertEqual(self.closed([busy, other]), [False, True])
        server.turn(3.0)
        self.pending.callback("done")
        self.assertEqual(busy.received(), [{"rpc": "slow", "uuid": "1", "resp": "done"}])
        self.assertEqual(self.closed([busy]), [True])
        self.successResultOf(drained)

    def test_plain_refusal(self) -> None:
        """A server that sends nothing but what node-token-sockjs sends gives no hint."""
        server, [busy] = self.clients(1, drain=8.0, acks=False)
        busy.send({"rpc": "slow", "uuid": "1"})
        server.service.drain()
        busy.send({"rpc": "echo", "req": 1, "uuid": "2"})
        self.assertEqual(busy.received(), [{"rpc": "echo", "uuid": "2", "error": GOING[1]}])

    def test_end_of_the_time(self) -> None:
        """What is not answered shutdown_timeout after the last peer's turn is given up."""
        server, [busy, other] = self.clients(2, drain=8.0, limits={"shutdown_timeout": 3})
        busy.send({"rpc": "slow", "uuid": "1"})
        drained, stopped = server.service.drain(), server.service.stopService()
        server.turn(4.0)
        self.closed([other])
        server.turn(2.9)
        self.assertEqual((self.closed([busy]), self.pending.called), ([False], False))
        self.assertNoResult(drained)
        server.turn(0.1)
        self.assertTrue(self.pending.called)
        self.assertEqual(self.closed([busy]), [True])
        self.successResultOf(drained)
        self.successResultOf(stopped)

    def test_hurry(self) -> None:
        """At any time it can be ended at once, with a word to every peer."""
        for passed in (0.0, 3.0, 7.0, 11.0):
            server, clients = self.clients(
                3, drain_delay=2.0, drain=6.0, limits={"shutdown_timeout": 30}
            )
            clients[0].send({"rpc": "slow", "uuid": "1"})
            server.service.hurry()
            server.turn()
            self.assertEqual(self.closed(clients), [False] * 3)
            stopped = server.service.stopService()
            for _ in range(int(passed)):
                server.turn(1.0)
                self.closed(clients)
            self.assertFalse(self.pending.called)
            server.service.hurry()
            server.turn()
            self.assertTrue(self.pending.called, passed)
            self.assertEqual(self.closed(clients), [True] * 3)
            self.successResultOf(stopped)

    def test_nobody(self) -> None:
        """Without peers there is nothing to wait for but the delay, and no line in the log."""
        server = self.serve(drain_delay=2.0, drain=60.0)
        stopped = server.service.stopService()
        server.turn(1.9)
        self.assertNoResult(stopped)
        server.turn(0.1)
        self.successResultOf(stopped)
        self.assertIsNone(self.successResultOf(server.service.drain()))
        self.assertEqual([each["event"] for each in self.logged if "event" in each], [])

    def test_polling_clients_that_left(self) -> None:
        """Who has not asked for frames for a second is not waited for; who asks gets the close."""
        for away, closed in ((0.5, True), (1.5, False)):
            server = self.serve(drain=1.0)
            self.assertEqual(self.post(server, "xhr"), b"o\n")
            auth = json.dumps({"rpc": "auth", "token": server.token(), "uuid": "u"})
            self.post(server, "xhr_send", json.dumps([auth]).encode())
            self.assertIn(b"success", self.post(server, "xhr"))
            server.turn(away)
            stopped = server.service.stopService()
            server.turn()
            if closed:
                self.assertNoResult(stopped)
                self.assertEqual(self.post(server, "xhr"), b'c[4503,"Server shutting down"]\n')
                server.turn()
            self.successResultOf(stopped)

    def test_peers_that_go(self) -> None:
        """When the last peer has gone by itself, nothing is waited for."""
        server, clients = self.clients(4, drain=8.0)
        stopped = server.service.stopService()
        for client in clients[2:]:
            client.drop()
        self.assertEqual(self.closed(clients[:2]), [True, False])
        server.turn(1.9)
        self.assertNoResult(stopped)
        clients[1].drop()
        server.turn()
        self.successResultOf(stopped)

    def test_other_times(self) -> None:
        """They can change while the server runs, and nothing that is no time is taken."""
        server, clients = self.clients(2, drain=8.0)
        server.service.reconfigure(drain=2.0)
        server.service.stopService()
        server.turn(1.0)
        self.assertEqual(self.closed(clients), [True, True])
        for option in ("drain", "drain_delay"):
            for bad in (-1.0, float("nan"), float("inf"), "5", True, None):
                with self.assertRaisesRegex(InvalidOption, f"^{option} is "):
                    self.serve(**{option: bad})


class ClusterTests(ServerTestCase):
    """Servers that share a MemoryStore."""

    def test_one_cluster(self) -> None:
        """Tokens, messages, broadcasts and unsubscribe_all cross from one to the other."""
        store = MemoryStore()
        one = self.serve(store=store)
        two = self.serve(store=store, clock=one.clock)
        client = two.client()
        client.ask({"rpc": "auth", "token": one.token(), "uuid": "u"})
        client.subscribe("c")
        publisher = one.authenticated()
        publisher.send({"rpc": "_publish", "req": {"channel": "c", "data": 1}})
        publisher.send({"rpc": "_broadcast", "req": {"data": 2}})
        self.successResultOf(one.service.unsubscribe_all("c"))
        self.assertEqual(
            [m.get("message", m.get("command")) for m in client.received()], [1, 2, "unsubscribe"]
        )

    def test_stopped_servers_hear_nothing(self) -> None:
        """A link that was closed is forgotten."""
        store = MemoryStore()
        server = self.serve(store=store)
        self.assertEqual(repr(store), "<MemoryStore 0 tokens 1 servers>")
        self.successResultOf(server.service.stopService())
        self.assertEqual(repr(store), "<MemoryStore 0 tokens 0 servers>")
