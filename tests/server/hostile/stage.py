"""
One server under attack, and what must be as it was after each attack.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.objects import count_objects, keep_early_events, keep_no_early_events
from tests.kit.site_client import Connection
from tests.server.support import TokenServer
from txtokensock.server import Peer

from .carriers import CARRIERS, Carrier, WebSocket

__all__ = ["AS_AFTER_AUTH", "HostileTestCase", "Stage"]

_OURS = ("txtokensock.", "twisted.", "autobahn.")

_UNTRACKED = ("twisted.logger.", "twisted.trial.", "twisted.python.modules.")
"""What grows for other reasons than clients."""

AS_AFTER_AUTH = {
    "limits": {
        "calls": 1000,
        "token_burst": 100_000,
        "unauthenticated_size": 4 * 1024 * 1024,
        "unauthenticated_per_second": 1000.0,
        "unauthenticated_burst": 20_000,
    }
}
"""Options of a server that lets strangers send as much as others."""

HOST = "10.6.6.6"
"""The attacker's address."""


def _boom(data: Any, peer: Peer) -> None:
    raise RuntimeError("out of order")


def _never(data: Any, peer: Peer) -> Deferred[Any]:
    return Deferred()


def _ask(data: Any, peer: Peer) -> Deferred[Any]:
    return peer.rpc("tell", data, timeout=5)


ACTIONS = {
    "echo": lambda data, peer: data,
    "nested": {"echo": lambda data, peer: data},
    "whoami": lambda data, peer: peer.auth,
    "boom": _boom,
    "never": _never,
    "ask": _ask,
}


class Stage(TokenServer):
    """
    A server in its own site, as strangers reach it, and a witness: a peer on the channel
    "witness", from another address.

    :param options: of the server.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("authentication", lambda request: {"user": "mallory"})
        # A Clock sorts all its timers for each new one: ten thousand take it minutes.
        options.setdefault("limits", {"calls": 1000, "token_burst": 100_000})
        super().__init__(actions=ACTIONS, **options)
        self.site = self.service.site()
        self.connections: list[Connection] = []
        self.witness = self.authenticated_over(WebSocket, "10.0.0.9")
        ask(self.witness, {"rpc": "_subscribe", "req": {"channel": "witness"}})

    def connection(self, address: str = HOST) -> Connection:
        """A new TCP connection."""
        self.connections.append(super().connection(address))
        return self.connections[-1]

    def authenticated_over(self, carrier: Any, address: str = HOST) -> Any:
        """A session that was let in."""
        session = carrier(self, address)
        (answer,) = ask(session, {"rpc": "auth", "token": self.token()})
        assert answer["resp"] == "success", answer
        return session

    def serves(self, carrier: Any = WebSocket) -> None:
        """A new client gets a token, is let in, calls, and goes."""
        fresh = self.authenticated_over(carrier, "10.0.0.8")
        (answer,) = ask(fresh, {"rpc": "echo", "req": [1], "uuid": "u"})
        assert answer == {"rpc": "echo", "uuid": "u", "resp": [1]}, answer
        fresh.leave()

    def pass_time(self, seconds: float) -> None:
        """Time passes, every timer finds its own, and the witness answers its pings."""
        end = self.clock.seconds() + seconds
        while True:
            self.clock.advance(0)
            due = min((call.getTime() for call in self.clock.getDelayedCalls()), default=end)
            if due > end:
                break
            self.clock.advance(max(0.0, due - self.clock.seconds()))
            self.witness._read()
        self.clock.advance(end - self.clock.seconds())

    def calm_down(self) -> None:
        """
        All that an attack can have left has its time to end, and the witness has answered
        its last ping: those come every 25 seconds, since its beginning.
        """
        now = self.clock.seconds()
        self.pass_time((now + 90) // 25 * 25 + 25 + 15 - now)
        self.connections = [each for each in self.connections if not each.tcp.lost]

    def census(self) -> dict[str, int]:
        """What there is, counted by kind."""
        context = self.service._context
        table = self.service._running_server.sockjs._table  # type: ignore[union-attr]
        counts = {
            "peers": len(context.peers.all()),
            "addresses of peers": len(context.peers._connections._by_client),
            "peers with channels": len(context.hub._subscribers),
            "channels": len(context.hub.channels()),
            "tokens": len(self.service._store._tokens),  # type: ignore[attr-defined]
            "sessions": len(table),
            "polling sessions": len(table._by_id),
            "addresses of sessions": len(table._sessions._by_client),
            "connections": len(self.connections),
        }
        timers = Counter(
            f"timer {call.func.__qualname__}" for call in self.clock.getDelayedCalls()
        )
        return counts | timers | count_objects(_OURS, _UNTRACKED)


def ask(session: Carrier, *messages: Any) -> list[Any]:
    """Send messages, and return what comes back."""
    session.send(*(text if isinstance(text, str) else json.dumps(text) for text in messages))
    return [json.loads(text) for text in session.texts()]


class HostileTestCase(SynchronousTestCase):
    """
    Attacks one server, test after test: what one leaves behind, the next finds.

    The objects of everything else are frozen meanwhile, so that the garbage collector
    finds, and a census counts, what the server makes alone.
    """

    stage: Stage
    options: ClassVar[dict[str, Any]] = {}
    """Of the server."""

    _shared: ClassVar[Stage | None] = None
    _normal: ClassVar[dict[str, int]]

    @classmethod
    def setUpClass(cls) -> None:
        keep_no_early_events()
        gc.collect()
        gc.freeze()

    @classmethod
    def tearDownClass(cls) -> None:
        cls._shared = None
        gc.unfreeze()
        gc.collect()
        keep_early_events()

    def setUp(self) -> None:
        kind = type(self)
        stage, kind._shared = kind._shared, None
        if stage is None:
            stage = Stage(**kind.options)
            for carrier in CARRIERS.values():
                stage.serves(carrier)
            stage.get("/sockets/info")
            stage.calm_down()
            kind._normal = stage.census()
        self.stage = stage

    def tearDown(self) -> None:
        del self.stage  # whoever keeps this test shall not keep that

    def survived(self, *, heard: list[Any] | None = None) -> None:
        """
        The server serves on, has no more of anything than before, and logged no error.

        :param heard: what the witness must have heard.
        """
        stage = self.stage
        self.assertEqual(self.flushLoggedErrors(), [])
        stage.serves()
        texts = [json.loads(text) for text in stage.witness.texts()]
        self.assertEqual(texts, heard or [])
        stage.calm_down()
        stage.serves(CARRIERS["xhr"])
        stage.calm_down()
        self.assertIsNone(stage.witness.closed)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(_more(stage.census(), type(self)._normal), {})
        type(self)._shared = stage  # as good as new: the next test may have it


def _more(now: dict[str, int], before: dict[str, int]) -> dict[str, str]:
    return {
        kind: f"{before.get(kind, 0)} -> {count}"
        for kind, count in now.items()
        if count > before.get(kind, 0)
    }
