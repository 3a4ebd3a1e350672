"""A client of a token-sockjs server that costs little, for tests with many of them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from tests.kit.sockjs import ReceivedFrames
from tests.kit.websocket import CLOSE, TEXT, UPGRADE, encode_frame
from txtokensock.testing.rfc6455 import FrameReader

__all__ = ["LightPeer"]

_HEADERS = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
_LENGTH = re.compile(rb"content-length: (\d+)", re.I)


class LightPeer:
    """
    Calls an action again and again, over a WebSocket without a library, and does what a
    :class:`~txtokensock.TokenSocket` does: where it is closed it tries the next server, and makes
    its call again.

    :param ports: of the servers.
    :param action: its name.
    :ivar answered: how many calls were.
    :ivar failed: errors of calls.
    :ivar lost: when a connection was lost, and why.
    :ivar ready: when it was authenticated.
    :ivar connection: its connection, or None.
    """

    def __init__(self, ports: Sequence[int], action: str) -> None:
        self.answered = 0
        self.failed: list[Any] = []
        self.lost: list[tuple[float, Any]] = []
        self.ready: list[float] = []
        self.connection: _Connection | None = None
        self._ports = list(ports)
        self._action = action
        self._ended = False
        self._next: Any = None
        self.connect()

    def connect(self) -> None:
        """Connect to the server whose turn it is."""
        self._next = None
        port, *others = self._ports
        self._ports = [*others, port]
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", port)
        connectProtocol(endpoint, _Connection(self)).addErrback(self._again)

    def _again(self, _: object) -> None:
        if not self._ended:
            self._next = reactor.callLater(0.25 * random.random(), self.connect)

    def authenticated(self) -> None:
        """Begin with a call, or with that of before once more."""
        self.ready.append(reactor.seconds())
        self.call()

    def call(self) -> None:
        """Make the call whose turn it is."""
        self._next = None
        if self.connection is not None and not self._ended:
            self.connection.send({"rpc": self._action, "req": self.answered, "uuid": "call"})

    def came(self, answer: dict[str, Any]) -> None:
        """An answer: the next call follows, but one that was not begun waits for the close."""
        if "error" not in answer:
            assert answer["resp"] == self.answered, answer
            self.answered += 1
            self._next = reactor.callLater(1.5, self.call)
        elif answer.get("tx") != {"leaving": 1}:
            self.failed.append(answer)

    def ended(self, why: Any) -> None:
        """The connection is gone."""
        self._wait_no_more()
        if len(self.ready) > len(self.lost):
            self.lost.append((reactor.seconds(), why))
        self.connection = None
        self._again(None)

    def _wait_no_more(self) -> None:
        waiting, self._next = self._next, None
        if waiting is not None:
            waiting.cancel()

    def end(self) -> None:
        """Go without a word."""
        self._ended = True
        self._wait_no_more()
        if self.connection is not None:
            self.connection.transport.abortConnection()


class _Connection(Protocol):
    """Buys a token, and goes on as a WebSocket."""

    transport: Any

    def __init__(self, peer: LightPeer) -> None:
        self._peer = peer
        self._buffer = b""
        self._token = ""
        self._sockjs = ReceivedFrames()
        self._frames: FrameReader | None = None

    def connectionMade(self) -> None:
        self._peer.connection = self
        self._get("/socket/token?user=ada")

    def _get(self, path: str, headers: str = "") -> None:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n"
        self.transport.write(request.encode())

    def send(self, message: dict[str, Any]) -> None:
        self.transport.write(encode_frame(json.dumps([json.dumps(message)]), TEXT))

    def dataReceived(self, data: bytes) -> None:
        if self._frames is None:
            self._buffer += data
            data = self._answered()
        if self._frames is not None:
            for opcode, payload in self._frames.feed(data):
                if opcode == CLOSE:
                    self.transport.write(encode_frame(payload, CLOSE))
                elif opcode == TEXT:
                    self._frame(payload)

    def _answered(self) -> bytes:
        """:return: what came behind the answers to the requests."""
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or (length is not None and len(body) < int(length[1])):
            return b""
        self._buffer = b""
        if head.startswith(b"HTTP/1.1 101 "):
            self._frames = FrameReader(masked=False)
            return body
        if head.startswith(b"HTTP/1.1 200 "):
            self._token = json.loads(body)["token"]
            self._get(f"/sockets/000/{id(self)}/websocket", _HEADERS)
        else:
            self.transport.loseConnection()
        return b""

    def _frame(self, payload: bytes) -> None:
        if payload == b"o":
            self.send({"rpc": "auth", "token": self._token, "uuid": "auth"})
            return
        self._sockjs.read_frame(payload)
        for message in map(json.loads, self._sockjs.take_messages()):
            if message.get("uuid") == "call":
                self._peer.came(message)
            elif message.get("resp") == "success":
                self._peer.authenticated()

    def connectionLost(self, reason: Failure) -> None:
        self._peer.ended(self._sockjs.closed or reason.value)
