"""
Subscriptions that a hook allows for a time only.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed

from txtokensock.errors import ActionError
from txtokensock.support.user_functions import UserFunctionError

from .support import Client, ServerTestCase, TokenServer

NOTICE = {"internal": True, "command": "unsubscribe", "data": {"channel": "c"}}


class RenewalTests(ServerTestCase):
    """A hook for ``subscribe`` that returns seconds is asked again after them."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[float] = []
        self.answers: list[Any] = []

    def start(self, *answers: Any, **options: Any) -> tuple[TokenServer, Client]:
        """A client that is subscribed to ``c``; the hook gives the answers, then None."""
        server = self.serve(sockjs={"heartbeat": 1e8}, **options)
        self.answers = list(answers)

        def hook(peer: Any, channel: str) -> Any:
            self.asked.append(server.clock.seconds())
            answer = self.answers.pop(0) if self.answers else None
            if isinstance(answer, Exception):
                raise answer
            return answer

        server.service.on("subscribe", hook)
        client = server.authenticated()
        client.subscribe("c")
        return server, client

    def test_asked_again(self) -> None:
        """It is asked after the seconds that it said last, until it says none."""
        server, client = self.start(60, succeed(30.5), None)
        for _ in range(200):
            server.turn(0.5)
        self.assertEqual(self.asked, [0.0, 60.0, 90.5])
        self.assertEqual((client.received(), server.service.channels()), ([], ["c"]))

    def test_refusal(self) -> None:
        """Each refusal unsubscribes, which the client is told as of any end by the server."""
        cancelled = CancelledError()  # such as that of a call which the hook has made
        for refusal in (False, ActionError("gone"), KeyError("bug"), succeed(False), cancelled):
            server, client = self.start(60, refusal)
            server.turn(60)
            server.turn()
            self.assertEqual((client.received(), server.service.channels()), ([NOTICE], []))
        self.assertEqual(len(self.flushLoggedErrors(KeyError, UserFunctionError)), 2)

    def test_too_slow(self) -> None:
        """A hook that does not decide in time refuses, as it does at first."""
        server, client = self.start(60, Deferred(), limits={"hook_timeout": 2})
        server.turn(60)
        server.turn(1)
        self.assertEqual(client.received(), [])
        server.turn(1)
        self.assertEqual(client.received(), [NOTICE])

    def test_shortest(self) -> None:
        """Of several hooks, the one that says the fewest seconds counts; no bool is a number."""
        server, _ = self.start(60)
        for answer in (True, 20, None):
            server.service.on("subscribe", lambda *_, a=answer: a)
        server.authenticated().subscribe("c")
        server.turn(20)
        server.turn()
        self.assertEqual(self.asked, [0.0, 0.0, 20.0])

    def test_odd_numbers(self) -> None:
        """A time that is over, or none, is a second; one without end is never."""
        for answer in (0, -5.0, float("nan"), 0.1):
            self.asked.clear()
            server, client = self.start(answer, False)
            server.turn(0.9)
            self.assertEqual(len(self.asked), 1)
            server.turn(0.2)
            server.turn()
            self.assertEqual(client.received(), [NOTICE])
        for answer in (float("inf"), 10**400):
            server, _ = self.start(answer)
            server.turn(1e7)
            self.assertEqual(server.service.channels(), ["c"])

    def test_ended_before(self) -> None:
        """Nobody is asked about a subscription that has ended, whoever ended it."""
        ends = (
            lambda server, client: client.ask({"rpc": "_unsubscribe", "req": {"channel": "c"}}),
            lambda server, client: server.service.unsubscribe(server.service.peers()[0], "c"),
            lambda server, client: server.service.unsubscribe_all("c"),
            lambda server, client: client.drop(),
        )
        for end in ends:
            self.asked.clear()
            server, client = self.start(60)
            end(server, client)
            due = [call.getTime() for call in server.clock.getDelayedCalls()]
            self.assertNotIn(60.0, due)
            server.turn(60)
            self.assertEqual(self.asked, [0.0])

    def test_subscribed_again(self) -> None:
        """A new request for the same channel replaces the time that was said before."""
        server, client = self.start(60, 100)
        client.subscribe("c")
        server.turn(60)
        server.turn(40)
        server.turn()
        self.assertEqual(self.asked, [0.0, 0.0, 100.0])

    def test_server_subscribes(self) -> None:
        """Nobody is asked again about a subscription that the server made itself."""
        server, client = self.start(60)
        server.service.subscribe(server.service.peers()[0], "c")
        server.turn(60)
        self.assertEqual((self.asked, len(client.received())), ([0.0], 1))

    def test_gone_meanwhile(self) -> None:
        """A peer that goes while the hook decides cancels it, and nothing changes later."""
        pending: Deferred[Any] = Deferred(lambda d: d.callback(60))
        server, client = self.start(60, pending)
        server.turn(60)
        server.turn()
        client.drop()
        self.assertTrue(pending.called)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_order(self) -> None:
        """What the peer asks for meanwhile waits for the decision, as for the first one."""
        pending: Deferred[Any] = Deferred()
        server, client = self.start(60, pending, 60)
        server.turn(60)
        server.turn()
        client.send(
            {"rpc": "_unsubscribe", "req": {"channel": "c"}},
            {"rpc": "_subscribe", "req": {"channel": "c"}},
        )
        self.assertEqual(client.received(), [])
        pending.callback(False)
        commands = [message["command"] for message in client.received()]
        self.assertEqual(commands, ["unsubscribe", "unsubscribe", "subscribe"])
        self.assertEqual(server.service.channels(), ["c"])
