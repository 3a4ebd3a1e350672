"""
Every input counts, and strangers may send and leave little.
"""

from __future__ import annotations

import gc
import json
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import Deferred

from tests.kit.tables import each
from tests.kit.websocket import CLOSE, PING, PONG, TEXT, close_frame, encode_frame
from txtokensock.server import close_codes
from txtokensock.sockjs.message_buffer import MessageBuffer

from .carriers import CARRIERS, RawWebSocket, WebSocket, Xhr
from .stage import HostileTestCase, Stage, ask

MEGABYTE = 1024 * 1024
STRANGER, PEER = 50, 20_000
"""How many messages may be sent at once, before and after ``auth``."""

SIZE = 8192
"""How many bytes a stranger's frame may have."""

STRANGER_CLOSED = close_codes.TOO_MANY_MESSAGES.naming("unauthenticated_per_second", 5)
PEER_CLOSED = close_codes.TOO_MANY_MESSAGES.naming("messages_per_second", 1000)


def _pending(case: HostileTestCase, carrier: Any) -> Any:
    """A session whose ``auth`` is not decided."""
    stage = case.stage
    undecided: Deferred[None] = Deferred()

    def hook(*_: object) -> Deferred[None]:
        return undecided

    stage.service.on("authentication", hook)
    session = carrier(stage)
    assert ask(session, {"rpc": "auth", "token": stage.token()}) == []
    stage.service.remove_hook("authentication", hook)
    return session


PHASES: dict[str, tuple[Callable[[Any, Any], Any], int, close_codes.CloseCode]] = {
    "before auth": (lambda case, carrier: carrier(case.stage), STRANGER, STRANGER_CLOSED),
    "while it is pending": (_pending, STRANGER - 1, STRANGER_CLOSED),
    "after it": (
        lambda case, carrier: case.stage.authenticated_over(carrier),
        PEER - 1,
        PEER_CLOSED,
    ),
}
"""A session at each stage, how many messages it may send at once, and what ends it then."""

FRAMES = {
    "empty array": (WebSocket, encode_frame("[]", TEXT), 10),
    "nothing": (WebSocket, encode_frame("", TEXT), 10),
    "ping": (WebSocket, encode_frame("x" * 125, PING), 10),
    "empty ping": (WebSocket, encode_frame("", PING), 10),
    "pong": (WebSocket, encode_frame("", PONG), 10),
    "raw ping": (RawWebSocket, encode_frame("x", PING), 10),
    "not json": (WebSocket, encode_frame('["{"]', TEXT), 10),
    "raw not json": (RawWebSocket, encode_frame("{", TEXT), 10),
    "raw nothing": (RawWebSocket, encode_frame("", TEXT), 10),
}


@each(
    {
        f"{name} {phase}": (*frame, *at)
        for phase, at in PHASES.items()
        for name, frame in FRAMES.items()
    }
)
class FrameTests(HostileTestCase):
    """WebSocket frames that carry nothing."""

    def run_case(
        self, carrier: Any, frame: bytes, cost: int, at: Any, allowed: int, closed: Any
    ) -> None:
        """As many as the rate allows, by what each costs; one more closes the session."""
        session = at(self, carrier)
        session.client.connection.send(frame * (allowed // cost))
        session.texts()
        self.assertIsNone(session.closed)
        session.client.connection.send(frame)
        session.texts()
        self.assertEqual(session.closed, closed)
        del session
        self.survived()


REQUESTS = {
    "empty array": ("xhr_send", b"[]", 10),
    "no frame": ("xhr_send", b"{}", 10),
    "no body": ("xhr_send", b"", 10),
    "not json": ("xhr_send", b'["{"]', 10),
    "form without json": ("jsonp_send", b'["{"]', 10),
    "another poll": ("xhr", b"", 10),
}


@each(
    {
        f"{name} {phase}": (*request, *at)
        for phase, at in PHASES.items()
        for name, request in REQUESTS.items()
        if phase != "after it"
    }
)
class RequestTests(HostileTestCase):
    """Requests that carry nothing."""

    def run_case(
        self, page: str, body: bytes, cost: int, at: Any, allowed: int, closed: Any
    ) -> None:
        """As many as the rate allows, by what each costs; one more closes the session."""
        session = at(self, Xhr)
        for number in range(allowed // cost + 1):
            self.assertIsNone(session.closed, number)
            connection = self.stage.connection()
            connection.request("POST", f"{session.path}/{page}", body=body)
            session.texts()
        self.assertEqual(session.closed, closed)
        del session, connection
        self.survived()


class CountTests(HostileTestCase):
    """What else counts, and what does not."""

    def test_the_rest_of_a_read(self) -> None:
        """Of ten thousand pings in one read, a stranger's are looked at up to the limit."""
        session = WebSocket(self.stage)
        session.client.connection.send(encode_frame("", PING) * 10_000 + encode_frame("", TEXT))
        frames = session.client.frames()
        self.assertEqual([opcode for opcode, _ in frames], [PONG] * 5 + [TEXT, CLOSE])
        self.assertEqual(frames[-1], close_frame(1000, "Normal closure"))
        del session
        self.survived()

    def test_flood_while_closing(self) -> None:
        """Who is being closed is not listened to without a limit; its close frame ends it."""
        session = WebSocket(self.stage)
        session.send("{}")
        session.texts()
        self.assertEqual(session.closed, close_codes.NOT_AUTHENTICATED)
        for _ in range(3):
            session.client.connection.send(encode_frame("", PING) * 10_000)
        tcp = session.client.tcp
        self.assertFalse(tcp.disconnecting)
        session.client.connection.send(encode_frame("", PING) * 10_000 + encode_frame("", CLOSE))
        self.assertTrue(tcp.disconnecting)
        del session, tcp
        self.survived()

    def test_close_in_the_same_read(self) -> None:
        """The peer's close ends the connection, also behind what is not looked at any more."""
        for frame in (encode_frame("", PING), encode_frame("[]", TEXT), b"\xf1\x80\0\0\0\0"):
            session = WebSocket(self.stage)
            data = frame * 50 + encode_frame("", CLOSE)
            session.client.tcp.protocol.dataReceived(data)
            self.assertTrue(session.client.tcp.disconnecting)
        del session
        self.survived()

    def test_nothing_more_is_looked_at(self) -> None:
        """Frames after the limit, or after a violation, are not even counted."""
        for frame in (b"", b"\xf1\x80\0\0\0\0"):
            session = WebSocket(self.stage)
            (transport,) = (each.transport for each in _sessions(self.stage)[-1:])
            before = transport.frames_received
            pings = encode_frame("", PING) * 100
            session.client.tcp.protocol.dataReceived(frame + pings)
            self.assertLess(transport.frames_received - before, 7 if not frame else 1)
            session.leave()
        del session, transport
        self.survived()

    def test_pieces(self) -> None:
        """Frames that go on with a message count, however small they are."""
        session = WebSocket(self.stage)
        pieces = encode_frame('["', TEXT, final=False) + encode_frame("", 0, final=False) * 50
        session.client.connection.send(pieces)
        session.texts()
        self.assertIsNone(session.closed)
        session.client.connection.send(encode_frame("", 0, final=False))
        session.texts()
        self.assertEqual(session.closed, STRANGER_CLOSED)
        del session
        self.survived()

    def test_large_frames(self) -> None:
        """64 KiB of a frame cost as much as a message."""
        session = self.stage.authenticated_over(WebSocket)
        call = json.dumps({"rpc": "nobody", "req": "x" * 1_000_000, "uuid": 1})
        frame = encode_frame(json.dumps([call]), TEXT)
        (cost,) = {len(json.dumps([call])) >> 16}
        for _ in range((PEER - 1) // cost):
            session.client.connection.send(frame)
        session.texts()
        self.assertIsNone(session.closed)
        session.client.connection.send(frame)
        session.texts()
        self.assertEqual(session.closed, PEER_CLOSED)
        del session
        self.survived()

    def test_a_second_auth(self) -> None:
        """It gives no new burst, and the limits of a peer stay."""
        session = self.stage.authenticated_over(WebSocket)
        ping = encode_frame("", PING)
        session.client.connection.send(ping * 1500)
        (answer,) = ask(session, {"rpc": "auth", "token": self.stage.token()})
        self.assertEqual(answer["resp"], "success")
        session.client.connection.send(ping * 499)
        session.texts()
        self.assertIsNone(session.closed)
        session.client.connection.send(ping)
        session.texts()
        self.assertEqual(session.closed, PEER_CLOSED)
        del session
        self.survived()

    def test_time(self) -> None:
        """A stranger's rate is five messages a second: a ping every two seconds is taken."""
        session = WebSocket(self.stage)
        ping = encode_frame("", PING)
        session.client.connection.send(ping * 5)
        for _ in range(4):
            self.stage.pass_time(2)
            session.client.connection.send(ping)
        session.texts()
        self.assertIsNone(session.closed)
        session.client.connection.send(ping)
        session.texts()
        self.assertEqual(session.closed, STRANGER_CLOSED)
        del session
        self.survived()


class AnswerTests(HostileTestCase):
    """Answers to calls of the server's, and to its pings."""

    options = {"limits": {"calls": 1000, "message_burst": 60, "messages_per_second": 1.0}}
    closed = close_codes.TOO_MANY_MESSAGES.naming("messages_per_second", 1)

    def test_many_in_one_frame(self) -> None:
        """A peer may answer all that the server asks at once, and no more than that."""
        session = self.stage.authenticated_over(WebSocket)
        peer = self.stage.service.peers()[-1]
        answers = [peer.rpc("tell", timeout=5) for _ in range(200)]
        fids = [json.loads(text)["data"]["fid"] for text in session.texts()]
        texts = [json.dumps({"rpc": "_rpc", "fid": fid, "resp": {"data": 1}}) for fid in fids]
        session.send(*texts)
        for answer in answers:
            self.assertEqual(self.successResultOf(answer), 1)
        session.send(*["{}"] * 59)
        self.assertIsNone(session.closed)
        session.send(texts[0])
        session.texts()
        self.assertEqual(session.closed, self.closed)
        del session, peer, answers, answer
        self.survived()

    def test_pongs(self) -> None:
        """
        The pong for a ping of the server's is free, and so are two pings in the time of a beat,
        which a client may send for its own sake; more are not.
        """
        session = self.stage.authenticated_over(WebSocket)
        session.send(*["{}"] * 59)
        for _ in range(20):
            self.stage.pass_time(25)
            session.texts()  # answers the ping
            session.send(*["{}"] * 25)
            session.texts()
        self.assertIsNone(session.closed)
        self.stage.pass_time(9)
        session.client.connection.send(encode_frame("", PONG) * 2)
        session.texts()
        self.assertIsNone(session.closed)
        session.client.connection.send(encode_frame("", PONG))
        session.texts()
        self.assertEqual(session.closed, self.closed)
        del session
        self.survived()

    def test_late(self) -> None:
        """What is not waited for any more counts."""
        session = self.stage.authenticated_over(WebSocket)
        peer = self.stage.service.peers()[-1]
        answers = [peer.rpc("tell", timeout=5) for _ in range(200)]
        texts = session.texts()
        self.stage.pass_time(5)
        for answer in answers:
            self.assertIsNotNone(self.failureResultOf(answer))
        session.send(*texts)
        session.texts()
        self.assertEqual(session.closed, self.closed)
        del session, peer, answers, answer
        self.survived()


HELD = {
    "frame": encode_frame("x" * (SIZE + 1), TEXT)[:8],
    "large frame": encode_frame("x" * 4 * MEGABYTE, TEXT)[:14],
    "pieces": encode_frame("x" * SIZE, TEXT, final=False) + encode_frame("x", 0, final=False)[:6],
}


@each(
    {
        f"{name} {phase} {carrier.__name__}": (carrier, data, at)
        for phase, (at, *_) in PHASES.items()
        if phase != "after it"
        for name, data in HELD.items()
        for carrier in (WebSocket, RawWebSocket)
    }
)
class UnfinishedTests(HostileTestCase):
    """Frames of strangers that are too large."""

    def run_case(self, carrier: Any, data: bytes, at: Any) -> None:
        """They are refused at the header, before their bytes come."""
        session = at(self, carrier)
        session.client.connection.send(data[:-1])
        session.texts()
        self.assertIsNone(session.websocket_closed)
        session.client.connection.send(data[-1:])
        session.texts()
        assert session.websocket_closed is not None
        self.assertEqual(session.websocket_closed[0], 1009)
        session.client.connection.send(b"x" * MEGABYTE)
        del session
        self.survived()


class SizeTests(HostileTestCase):
    """What is just not too large."""

    def test_strangers(self) -> None:
        """A stranger's frame may have 8 KiB, over every carrier, and not a byte more."""
        for carrier in CARRIERS.values():
            session = carrier(self.stage)
            body = json.dumps(["x" * (SIZE - 4)]) if session.framed else "x" * SIZE
            session.body(body.encode())
            self.assertEqual(session.texts(), ['{"error":"Invalid message"}'])
            response = session.body(body.replace("x", "xx", 1).encode())
            self.assertEqual(session.texts(), [])
            if response is None:
                self.assertEqual(session.websocket_closed[0], 1009)
            else:
                self.assertEqual(response.status, 413)
                session.leave()
        del session
        self.survived()

    def test_forms(self) -> None:
        """The body of a form is measured as it is sent."""
        session = Xhr(self.stage)
        text = quote(json.dumps(["x" * 8000]))
        for size, status in ((SIZE, 200), (SIZE + 1, 413)):
            body = f"d={text}&p=".encode()
            connection = self.stage.connection()
            connection.request(
                "POST",
                f"{session.path}/jsonp_send",
                {"Content-Type": "application/x-www-form-urlencoded"},
                body + b"x" * (size - len(body)),
            )
            self.assertEqual(connection.response().status, status)
        session.leave()
        del session, connection
        self.survived()

    def test_peers(self) -> None:
        """As soon as ``auth`` has succeeded, a frame may have 4 MiB."""
        for carrier in CARRIERS.values():
            session = self.stage.authenticated_over(carrier)
            session.send(json.dumps({"rpc": "echo", "req": "x" * 1_000_000, "uuid": 1}))
            (answer,) = session.texts()
            self.assertEqual(len(json.loads(answer)["resp"]), 1_000_000)
            session.leave()
        del session
        self.survived()

    def test_answers_that_a_stranger_does_not_read(self) -> None:
        """Whatever a stranger sends, hardly anything waits for it."""
        for text in ("{", json.dumps({"rpc": "echo", "uuid": "u" * 8000})):
            session = WebSocket(self.stage)
            tcp = session.client.tcp
            tcp.stop_reading()
            for _ in range(100):
                session.client.send(json.dumps([text]))
                session.client.connection.send(encode_frame("x" * 125, PING))
                self.stage.turn()
            self.assertLess(len(tcp.value()), 2 * SIZE)
            session.leave()
        del session, tcp
        self.survived()


def _held() -> int:
    """Bytes on the heap, and in what is mapped for messages that are not complete."""
    heap, _ = tracemalloc.get_traced_memory()
    buffers = (each for each in gc.get_objects() if isinstance(each, MessageBuffer))
    return heap + sum(len(block) for each in buffers for block in each._blocks)


class LossTests(HostileTestCase):
    """What a connection held when it was lost."""

    def unfinished(self, data: bytes) -> list[WebSocket]:
        """Peers that have sent that, and not the end of it."""
        sessions = [self.stage.authenticated_over(WebSocket) for _ in range(6)]
        for session in sessions:
            for start in range(0, len(data), 65536):
                session.client.connection.send(data[start : start + 65536])
        return sessions

    def freed(self, act: Callable[[list[WebSocket]], object], data: bytes) -> None:
        """What it held is free at once, without the garbage collector."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = _held()
        sessions = self.unfinished(data)
        self.assertGreater(_held() - before, 20 * MEGABYTE)
        act(sessions)
        self.assertLess(_held() - before, 2 * MEGABYTE)
        gc.enable()
        del sessions
        self.survived()

    def test_a_frame(self) -> None:
        """The bytes of an unfinished frame."""
        data = encode_frame("x" * 4 * MEGABYTE, TEXT)[:-1]
        self.freed(lambda sessions: [each.leave() for each in sessions], data)

    def test_pieces(self) -> None:
        """Those of a message in pieces, also when what comes then is a violation."""
        data = b"".join(
            encode_frame("x" * 400_000, 0 if number else TEXT, final=False) for number in range(10)
        )
        self.freed(lambda sessions: [each.leave() for each in sessions], data)

    def test_a_violation(self) -> None:
        """A violation ends it before the connection is lost."""
        data = encode_frame("x" * 4_000_000, TEXT, final=False)
        self.freed(lambda sessions: [each.client.send("x", TEXT) for each in sessions], data)

    def test_what_waits(self) -> None:
        """What was written for a slow reader; its TCP connection, which has the rest, as well."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        call = json.dumps({"rpc": "echo", "req": "x" * 900_000, "uuid": 1})
        for carrier in (WebSocket, RawWebSocket):
            session = self.stage.authenticated_over(carrier)
            session.client.tcp.stop_reading()
            for _ in range(4):
                session.send(call)
                self.stage.turn()
            self.assertGreater(_total(self.stage), 2 * MEGABYTE)
            connection = weakref.ref(session.client.tcp)
            session.leave()
            self.assertEqual(_total(self.stage), 0)
            del session
            self.stage.connections.clear()
            self.assertIsNone(connection())
        gc.enable()
        self.survived()

    def test_a_stream(self) -> None:
        """The connection of a streaming response is gone at once as well."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        stream = self.stage.connection()
        stream.request("POST", "/sockets/000/slow/xhr_streaming")
        connection = weakref.ref(stream.tcp)
        stream.drop()
        del stream
        self.stage.connections.clear()
        self.assertIsNone(connection())
        gc.enable()
        self.survived()


def _sessions(stage: Stage) -> list[Any]:
    """All sessions, oldest first."""
    return list(stage.service._running_server.sockjs._table._sessions)  # type: ignore[union-attr]


def _total(stage: Stage) -> int:
    """How many bytes wait in all sessions."""
    table = stage.service._running_server.sockjs._table  # type: ignore[union-attr]
    return table.buffers.total


class TotalTests(HostileTestCase):
    """``Limits.buffered_total``."""

    options = {"limits": {"calls": 1000, "buffered_total": 8 * MEGABYTE}}

    def total(self) -> int:
        """How many bytes wait."""
        return _total(self.stage)

    def slow(self, size: int) -> Any:
        """A peer that does not read, and for which that much waits."""
        session = self.stage.authenticated_over(WebSocket, "10.6.6.7")
        session.client.tcp.stop_reading()
        for _ in range(2):
            session.send(json.dumps({"rpc": "echo", "req": "x" * (size // 2), "uuid": 1}))
            self.stage.turn()
        return session

    def test_those_that_hold_the_most(self) -> None:
        """They are closed with 4001, in order of what they hold; the others stay."""
        small = [self.slow(500_000) for _ in range(4)]
        large = self.slow(1_900_000)
        middle = [self.slow(1_400_000) for _ in range(3)]
        small.append(self.slow(500_000))
        self.assertLessEqual(self.total(), 8 * MEGABYTE)
        for session in [*small, large, *middle]:
            session.client.tcp.read_again()
            session.texts()
        self.assertEqual([session.closed for session in small], [None] * 5)
        self.assertEqual(large.closed, (4001, "Too much waits to be read"))
        self.assertEqual([session.closed for session in middle], [None] * 3)
        self.assertEqual(self.total(), 0)
        for session in [*small, *middle]:
            session.leave()
        del session, small, middle, large
        self.survived()

    def test_pressure_that_stays(self) -> None:
        """Who was closed and still does not read is dropped when there is no room again."""
        sessions = [self.slow(1_900_000) for _ in range(20)]
        self.assertLess(self.total(), 10 * MEGABYTE)
        self.stage.turn()
        self.assertGreater(sum(session.client.tcp.lost for session in sessions), 10)
        for session in sessions:
            session.leave()
        self.assertEqual(self.total(), 0)
        del sessions, session
        self.survived()

    def test_unfinished_frames(self) -> None:
        """What has come of frames that are not complete counts as well."""
        data = encode_frame("x" * 4_000_000, TEXT)[:-1]
        sessions = [self.stage.authenticated_over(WebSocket) for _ in range(3)]
        for session in sessions:
            for start in range(0, len(data), 65536):
                if session.closed is None:
                    session.client.connection.send(data[start : start + 65536])
        self.assertLessEqual(self.total(), 8 * MEGABYTE)
        for session in sessions:
            session.texts()
        self.assertEqual(
            [session.closed for session in sessions].count((4001, "Too much waits to be read")), 1
        )
        for session in sessions:
            session.leave()
        self.assertEqual(self.total(), 0)
        del sessions, session
        self.survived()

    def test_the_beginning_of_a_frame(self) -> None:
        """It counts however small the frame is, until it is whole, or not wanted any more."""
        frame = encode_frame(json.dumps(["{" + " " * 50_000]), TEXT)
        for rest in (frame[40_000:], b""):
            session = self.stage.authenticated_over(WebSocket)
            session.client.connection.send(frame[:40_000])
            self.assertEqual(self.total(), 40_000)
            if rest:
                session.client.connection.send(rest)
                self.assertEqual(self.total(), 0)
            session.leave()
            self.assertEqual(self.total(), 0)
        session = self.stage.authenticated_over(WebSocket)
        session.client.connection.send(encode_frame("x" * 90_000, TEXT, final=False))
        self.assertGreater(self.total(), 90_000)
        session.client.connection.send(encode_frame("x", TEXT))  # a violation
        self.assertEqual(self.total(), 0)
        session.leave()
        del session
        self.survived()

    def test_polling(self) -> None:
        """What waits for a poll counts, until it is polled or given up."""
        session = self.stage.authenticated_over(Xhr)
        call = json.dumps({"rpc": "echo", "req": "x" * 900_000, "uuid": 1})
        session.send(call)
        self.stage.turn()
        session._read()
        session.send(call, call)
        self.stage.turn()
        self.assertGreater(self.total(), 800_000)
        self.assertEqual(len(session.texts()), 3)
        self.assertEqual(self.total(), 0)
        session.leave()
        del session
        self.survived()
