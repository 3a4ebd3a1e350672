"""
Whatever a client sends: the server answers, or closes that client, and lives.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.kit.examples import examples
from txtokensock.server import demo

from .support import Client, ServerTestCase, TokenServer

NAMES = [
    *("auth", "_rpc", "_subscribe", "_unsubscribe", "_publish", "_broadcast", "_ping"),
    *("echo", "echo.x", "slow", "toString", "__proto__", "constructor", "", ".", "hasOwnProperty"),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from([*NAMES, "c", "d", "___all___", "___sync___", "__all__", "\0", "é😀"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
REQUESTS = VALUES | st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from(["c", "d", "e"]) | VALUES,
        "data": VALUES,
        "error": VALUES,
    },
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "rpc": st.sampled_from(NAMES) | VALUES,
        "uuid": st.text(max_size=3) | VALUES,
        "req": REQUESTS,
        "resp": REQUESTS,
        "fid": VALUES,
        "token": st.sampled_from(["550e8400-e29b-41d4-a716-446655440000"]) | VALUES,
        "internal": VALUES,
        "command": VALUES,
    },
).map(json.dumps)
TEXTS = st.one_of(
    MESSAGES,
    MESSAGES,
    VALUES.map(json.dumps),
    st.text(max_size=20),
    st.text('{}[]":,\\0eEtrufalsn', max_size=20),
    st.sampled_from(["NaN", "1e400", '{"rpc":"\\ud800"}', "\ufeff{}", "[" * 1000, "null"]),
)


class AnythingTests(ServerTestCase):
    """Random messages, in random frames."""

    def start(self) -> tuple[TokenServer, Client]:
        server = self.serve(actions={**demo.ACTIONS, "slow": lambda data, peer: peer.rpc("a")})
        witness = server.authenticated()
        witness.subscribe("witness")
        return server, witness

    def assertWell(self, server: TokenServer, witness: Client) -> None:
        """Nobody else noticed; nothing of the others is left."""
        for client in server.clients:
            if client is not witness:
                client.drop()
        server.clients = [witness]
        server.turn(1)
        self.assertEqual(server.service.channels(), ["witness"])
        self.assertEqual(len(server.service.peers()), 1)
        witness.texts()
        self.assertEqual(witness.rpc("echo", 1), {"resp": 1})
        self.assertEqual(server.authenticated().rpc("echo", 2), {"resp": 2})
        self.assertEqual(self.flushLoggedErrors(), [])

    def check(self, frames: list[list[str]], *, authenticated: bool) -> None:
        server, witness = self.start()
        client = server.authenticated() if authenticated else server.client()
        for texts in frames:
            client.send(*texts)
        answers: list[Any] = client.received()
        if client.closed is None:
            # Each message has at most three answers of its own, and some more come by
            # broadcast: one for each channel.
            self.assertLess(len(answers), 50 * sum(map(len, frames)) + 1)
        elif not authenticated:
            self.assertEqual(client.closed[0] // 100, 44)
        self.assertWell(server, witness)
        self.tearDown()
        self._servers.clear()

    @examples(150)
    @given(st.lists(st.lists(TEXTS, max_size=4), max_size=6))
    def test_authenticated(self, frames: list[list[str]]) -> None:
        """From a peer that was let in."""
        self.check(frames, authenticated=True)

    @examples(80)
    @given(st.lists(st.lists(TEXTS, max_size=4), max_size=3))
    def test_stranger(self, frames: list[list[str]]) -> None:
        """From one that was not."""
        self.check(frames, authenticated=False)

    @examples(80)
    @given(st.lists(st.binary(max_size=40), max_size=5))
    def test_frames(self, frames: list[bytes]) -> None:
        """WebSocket messages that are no SockJS frames."""
        server, witness = self.start()
        client = server.authenticated()
        for frame in frames:
            if not client.tcp.lost:
                client.websocket.send(frame)
        self.assertWell(server, witness)
        self.tearDown()
        self._servers.clear()

    def test_uuids(self) -> None:
        """Every request that names an answer gets exactly one that names it back."""
        server, _ = self.start()
        client = server.authenticated()
        channel = {"channel": "c", "data": 1}
        for rpc in NAMES:
            if rpc == "slow" or rpc == "_rpc":
                continue
            for request in (None, 5, [], {}, channel, {"channel": []}, {"channel": "___all___"}):
                for uuid in ("u", "", 7, 2**70):
                    client.send({"rpc": rpc, "req": request, "uuid": uuid})
                    answers = [m for m in client.received() if "uuid" in m]
                    self.assertEqual([m["uuid"] for m in answers], [uuid], (rpc, request))
                    self.assertEqual(len({"resp", "error"} & set(answers[0])), 1)
