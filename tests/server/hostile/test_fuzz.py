"""
Bytes that nobody thought of: those of the tables, bent, cut and mixed, in pieces of any size.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.kit.examples import examples
from tests.kit.site_client import Connection

from .carriers import WebSocket, Xhr
from .cases_frames import FRAMES, WIRE
from .cases_http import REQUESTS
from .cases_messages import MESSAGES
from .stage import HostileTestCase

SMALL = 5000
"""Bytes of the cases that are worth being bent: large ones take their time."""

GOOD_FRAMES = [b'["x"]', b'"x"', b'["{}","{}"]', b'["{\\"rpc\\":\\"echo\\",\\"uuid\\":\\"u\\"}"]']
BODIES = [case.body for case in FRAMES if len(case.body) < SMALL] + GOOD_FRAMES
WIRES = [case.data for case in WIRE if len(case.data) < SMALL]
HTTP = [case.data for case in REQUESTS if len(case.data) < SMALL]
TEXTS = [text for case in MESSAGES for text in case.texts[:2] if len(text) < SMALL]

Pieces = list[bytes]


def bent(originals: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of them with something in it changed, or left as it is."""

    def bend(original: bytes, at: int, length: int, change: bytes) -> bytes:
        at %= len(original) + 1
        return original[:at] + change + original[at + length :]

    change = st.binary(max_size=8) | st.sampled_from([b"\r\n", b"\0", b"\xff", b'"', b"[", b": "])
    numbers = st.integers(0, SMALL)
    whole = st.sampled_from(originals)
    return whole | st.builds(bend, whole, numbers, st.integers(0, 20), change)


def pieces(originals: list[bytes]) -> st.SearchStrategy[Pieces]:
    """Some of them one after the other, cut anywhere."""

    def cut(whole: Pieces, places: list[int]) -> Pieces:
        data = b"".join(whole)
        ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
        return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    places = st.lists(st.integers(0, 20_000), max_size=5)
    return st.builds(cut, st.lists(bent(originals), min_size=1, max_size=5), places)


fuzz = examples(100, database=None)


class FuzzTests(HostileTestCase):
    """Whatever comes, the server survives it."""

    def feed(self, connection: Connection, data: Pieces) -> None:
        """Piece by piece, as long as there is somebody to take them."""
        for piece in data:
            if not connection.tcp.disconnecting and not connection.tcp.lost:
                connection.send(piece)
            self.stage.turn()

    @fuzz
    @given(pieces(HTTP))
    def test_http(self, data: Pieces) -> None:
        """Requests."""
        self.feed(self.stage.connection(), data)
        self.survived()

    @fuzz
    @given(pieces(WIRES), st.booleans())
    def test_websocket(self, data: Pieces, authenticated: bool) -> None:
        """WebSocket frames, before and after auth."""
        self._websocket(data, authenticated)
        self.survived()

    def _websocket(self, data: Pieces, authenticated: bool) -> None:
        stage = self.stage
        session = stage.authenticated_over(WebSocket) if authenticated else WebSocket(stage)
        self.feed(session.client.connection, data)
        session.leave()

    @fuzz
    @given(st.lists(bent(BODIES), max_size=5), st.booleans())
    def test_xhr_send(self, bodies: Pieces, authenticated: bool) -> None:
        """Bodies of xhr_send, before and after auth."""
        self._xhr_send(bodies, authenticated)
        self.survived()

    def _xhr_send(self, bodies: Pieces, authenticated: bool) -> None:
        session = self.stage.authenticated_over(Xhr) if authenticated else Xhr(self.stage)
        for body in bodies:
            response = session.body(body)
            self.assertIn(response.status, (204, 404, 500))
            session.texts()

    @fuzz
    @given(st.lists(bent([text.encode() for text in TEXTS]), max_size=5), st.booleans())
    def test_messages(self, texts: Pieces, authenticated: bool) -> None:
        """Messages of the table, bent; the witness may hear of it."""
        self._messages([text.decode("utf-8", "replace") for text in texts], authenticated)
        self.stage.witness.texts()
        self.survived()

    def _messages(self, texts: list[str], authenticated: bool) -> None:
        stage = self.stage
        session = stage.authenticated_over(WebSocket) if authenticated else WebSocket(stage)
        session.send(*texts)
        session.texts()
        # A function that raises is logged, as it should be.
        self.flushLoggedErrors(RuntimeError)
        session.leave()
