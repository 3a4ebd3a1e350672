"""
What holds whatever happens: found by trying, with Hypothesis.
"""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.examples import examples
from tests.kit.site_client import Connection
from tests.kit.websocket import BINARY, CLOSE, PING, PONG, TEXT, encode_frame

from .support import Recorder, Server

FRAMES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        encode_frame,
        st.one_of(
            st.binary(max_size=130),
            st.sampled_from(['["a"]', '"a"', "[]", "", '["a","b"]', "[" * 200, "\x03\xe8"]),
        ),
        st.sampled_from([0, TEXT, BINARY, 3, CLOSE, PING, PONG, 15]),
        final=st.booleans(),
    ),
)


class AnythingTests(SynchronousTestCase):
    """A peer may send what it likes."""

    @examples(150)
    @given(st.lists(FRAMES, max_size=12), st.sampled_from(["/0/a/websocket", "/websocket"]))
    def test_websocket(self, pieces: list[bytes], path: str) -> None:
        """No bytes raise, and the session ends when the connection does."""
        server = Server()
        client = server.websocket(path)
        for piece in pieces:
            if not client.tcp.lost:
                client.connection.send(piece)
            server.clock.advance(0)
        client.connection.drop()
        (protocol,) = server.protocols
        self.assertEqual(len(protocol.lost), 1)
        self.assertEqual(server.resource.session_count, 0)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    @examples(100)
    @given(
        st.sampled_from(["GET", "POST", "PUT", "OPTIONS", "HEAD", "SUBSCRIBE"]),
        st.lists(
            st.sampled_from(
                ["", "a", "b.c", "info", "iframe.html", "websocket", "xhr", "xhr_send", "jsonp",
                 "xhr_streaming", "eventsource", "htmlfile", "jsonp_send", "%ff", "%2f", "?c=x"]
            ),
            max_size=5,
        ),
        st.binary(max_size=50),
        st.dictionaries(
            st.sampled_from(["Upgrade", "Connection", "Origin", "Cookie", "Content-Type",
                             "Sec-WebSocket-Key", "Sec-WebSocket-Version", "If-None-Match"]),
            st.text("abc13=;,:/\" *Uupgradewebsocket", max_size=30),
        ),
    )  # fmt: skip
    def test_http(
        self, method: str, segments: list[str], body: bytes, headers: dict[str, str]
    ) -> None:
        """No request raises, or is left without an answer that it does not wait for."""
        server = Server()
        connection = server.open(method, "/" + "/".join(segments), headers, body)
        response = connection.response()
        self.assertNotEqual((response.status, response.body[:9]), (500, b"<html><he"))
        connection.drop()
        server.clock.pump([5, 5])
        self.assertEqual(server.resource.session_count, 0)
        self.assertEqual(server.clock.getDelayedCalls(), [])


class PollingMachine(RuleBasedStateMachine):
    """
    One polling session, and everybody who can do something to it.

    What its protocol wrote arrives in order, once, and nothing before it is missing;
    what the client sent arrives the same way; connectionLost comes once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.server = Server(Recorder, heartbeat=25, max_buffered=10_000, response_limit=300)
        self.open: list[Connection] = []
        self.written = 0
        self.sent = 0
        self.arrived: list[str] = []
        self.ended = False
        self.server.poll()
        self.protocol: Any = self.server.protocols[0]

    def _collect(self, connection: Connection) -> None:
        for frame in re.findall(r"^a(\[.*\])$", connection.response().body.decode(), re.MULTILINE):
            self.arrived += json.loads(frame)

    @precondition(lambda self: not self.ended)
    @rule(kind=st.sampled_from(["xhr", "xhr_streaming"]))
    def ask(self, kind: str) -> None:
        connection = self.server.open("POST", "/000/abc/" + kind)
        self.open.append(connection)
        self.ended = len(self.server.protocols) > 1

    @precondition(lambda self: self.open)
    @rule()
    def read_all(self) -> None:
        still_open = []
        for connection in self.open:
            if connection.response().complete:
                self._collect(connection)
            else:
                still_open.append(connection)
        self.open = still_open

    @precondition(lambda self: self.open)
    @rule()
    def break_off(self) -> None:
        connection = self.open.pop()
        self._collect(connection)
        connection.drop()

    @rule(count=st.integers(1, 3), size=st.sampled_from([1, 200]))
    def write(self, count: int, size: int) -> None:
        texts = [b"%d " % (self.written + i) + b"x" * size for i in range(count)]
        self.protocol.transport.writeSequence(texts)
        self.written += count

    @rule(count=st.integers(0, 3))
    def send(self, count: int) -> None:
        body = json.dumps([str(self.sent + i) for i in range(count)])
        status = self.server.send(body)
        if status in (0, 204) and not self.protocol.lost:
            self.sent += count

    @rule()
    def pause(self) -> None:
        self.protocol.transport.pauseProducing()

    @rule()
    def resume(self) -> None:
        self.protocol.transport.resumeProducing()

    @rule(seconds=st.sampled_from([0, 1, 4, 25]))
    def wait(self, seconds: float) -> None:
        self.server.clock.advance(seconds)

    @rule()
    def close(self) -> None:
        self.protocol.transport.loseConnection()

    @rule()
    def abort(self) -> None:
        self.protocol.transport.abortConnection()

    @rule()
    def protocol_stops(self) -> None:
        self.server.resource.close_sessions()

    @invariant()
    def once(self) -> None:
        assert len(self.protocol.lost) <= 1
        received = [int(text) for text in self.protocol.received]
        assert received == list(range(len(received)))
        assert len(received) <= self.sent + 3

    def teardown(self) -> None:
        self.protocol.transport.resumeProducing()
        for connection in self.open:
            self._collect(connection)
        numbers = sorted(int(text.split()[0]) for text in self.arrived)
        assert numbers == list(range(len(numbers))), numbers
        self.server.resource.close_sessions()
        self.server.clock.pump([0, 5, 0])
        assert len(self.protocol.lost) == 1
        assert self.server.resource.session_count == 0
        assert self.server.clock.getDelayedCalls() == []


PollingMachine.TestCase.settings = examples(80, stateful_step_count=25)
PollingTests = PollingMachine.TestCase
