"""
Peers with limits of their own.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from txtokensock.errors import InvalidOption
from txtokensock.server import Limits, TokenSocketServer, demo

from .support import LIMITS, Client, ServerTestCase, TokenServer

OWN = {
    "message_size": 3000,
    "json_depth": 5,
    "channel_length": 4,
    "channels": 2,
    "calls": 3,
    "messages_per_second": 5.0,
    "message_burst": 40,
}


class LimitsForTests(ServerTestCase):
    """``limits_for``."""

    def start(self, limits_for: Any, **options: Any) -> TokenServer:
        """A server, whose peers are who they say in the query."""
        self.pending: list[Deferred[Any]] = []
        self.identities: list[Any] = []

        def authenticate(request: Any) -> Any:
            return {"who": request.args[b"who"][0].decode()}

        def slow(data: Any, peer: Any) -> Deferred[Any]:
            self.pending.append(Deferred())
            return self.pending[-1]

        return self.serve(
            authentication=authenticate,
            actions={**demo.ACTIONS, "slow": slow},
            limits_for=limits_for,
            **options,
        )

    def announced(self, client: Client, who: str) -> Any:
        """What the client is told when it is authenticated as somebody."""
        token = client.server.token(f"who={who}")
        return client.ask({"rpc": "auth", "uuid": "u", "token": token})["tx"]["limits"]

    def client(self, server: TokenServer, who: str = "bridge") -> Client:
        """Somebody, authenticated."""
        client = server.client()
        self.announced(client, who)
        return client

    def bridges(self, **options: Any) -> TokenServer:
        """A server that gives bridges their own."""
        return self.start(
            lambda identity: Limits(**OWN) if identity["who"] == "bridge" else None, **options
        )

    def test_announced(self) -> None:
        """The bridge is told its own, others those of all."""
        server = self.bridges(limits={"frame_size": 5000})
        all_peers = {**LIMITS, "frame_size": 5000}
        self.assertEqual(self.announced(server.client(), "bridge"), {**all_peers, **OWN})
        self.assertEqual(self.announced(server.client(), "ada"), all_peers)

    def test_peer(self) -> None:
        """The application sees them too; what is not one peer's stays that of all."""
        server = self.bridges(limits={"buffered": 5000, "auth_timeout": 3})
        client = self.client(server)
        (peer,) = server.service.peers()
        self.assertEqual(peer.limits, Limits(**OWN, buffered=5000, auth_timeout=3))
        self.assertEqual(client.rpc("echo", 1), {"resp": 1})

    def test_each(self) -> None:
        """Each is kept to, where others may have more, and is no limit of theirs."""
        deep: Any = 1
        for _ in range(5):
            deep = [deep]
        requests: dict[str, list[Any]] = {
            "message_size": [{"rpc": "echo", "req": "x" * 3000, "uuid": "u"}],
            "json_depth": [{"rpc": "echo", "req": deep, "uuid": "u"}],
            "channel_length": [{"rpc": "_subscribe", "req": {"channel": "12345"}, "uuid": "u"}],
            "channels": [
                {"rpc": "_subscribe", "req": {"channel": name}, "uuid": name} for name in "abc"
            ],
            "calls": [{"rpc": "slow", "uuid": f"{number}"} for number in range(4)],
            "message_burst": [{"rpc": "echo", "uuid": f"{number}"} for number in range(60)],
        }
        for limit, messages in requests.items():
            server = self.bridges()
            for who, exceeds in (("bridge", True), ("ada", False)):
                client = self.client(server, who)
                client.send(*messages)
                server.turn()
                answers = client.received()
                refused = client.closed is not None or any("error" in one for one in answers)
                self.assertEqual(refused, exceeds, (limit, who, answers))

    def test_more(self) -> None:
        """They may be higher than those of all."""
        server = self.bridges(limits={"channels": 1, "message_size": 100})
        client = self.client(server)
        for channel in "ab":
            client.subscribe(channel)
        self.assertEqual(client.rpc("echo", "x" * 1000), {"resp": "x" * 1000})

    def test_failures(self) -> None:
        """A function that raises, or returns anything else, is logged; nobody suffers."""

        def exits(identity: Any) -> Any:
            raise SystemExit

        async def coroutine(identity: Any) -> Any:
            return Limits(**OWN)

        for function in (lambda identity: 1 / 0, exits, lambda identity: OWN, lambda *_: 5):
            server = self.start(function)
            client = server.client()
            self.assertEqual(self.announced(client, "bridge"), LIMITS)
            self.assertEqual(client.rpc("echo", 1), {"resp": 1})
            self.assertEqual(len(self.flushLoggedErrors()), 1)
        for other in (coroutine, 5):
            self.assertRaises(
                InvalidOption, TokenSocketServer, lambda request: True, limits_for=other
            )

    def test_another_identity(self) -> None:
        """A later ``auth`` brings the limits of the new identity."""
        client = self.client(self.bridges(), "ada")
        self.assertEqual(self.announced(client, "bridge"), {**LIMITS, **OWN})
        (peer,) = client.server.service.peers()
        self.assertEqual(peer.limits.channels, 2)
        self.assertEqual(self.announced(client, "ada"), LIMITS)

    def test_without_acks(self) -> None:
        """Nothing is announced, and all the same they hold."""
        server = self.bridges(acks=False)
        client = server.client()
        token = server.token("who=bridge")
        answer = client.ask({"rpc": "auth", "uuid": "u", "token": token})
        self.assertEqual(answer, {"rpc": "auth", "uuid": "u", "resp": "success"})
        client.send({"rpc": "echo", "req": "x" * 3000, "uuid": "u"})
        server.turn()
        answers = client.received()
        self.assertTrue(client.closed is not None or "error" in answers[0])
