"""
One connection with an honest peer: requests, or a WebSocket.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from tests.kit.http import Request, RequestReader, response
from txtokensock.testing.rfc6455 import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameReader,
    accept_key,
    encode_frame,
)

from .carriers import RECEIVERS, Carrier, Poll, WebSocket
from .output import Output
from .scene import Scene
from .session import PeerSession

if TYPE_CHECKING:
    from .peer import Peer

__all__ = ["Connection"]


class Connection(Protocol):
    """
    :param peer: the server.
    :ivar out: the sending half.
    :ivar carried: the session that it carries at present, and by what; or None.
    """

    transport: Any

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._requests = RequestReader()
        self._frames: FrameReader | None = None
        self.carried: tuple[PeerSession, Carrier] | None = None

    def connectionMade(self) -> None:
        self.out = Output(self.transport, self._peer.reactor)
        self._peer.connected(self)
        step = self._peer.connecting
        if self._peer.awaits(step):
            self._peer.expecting = "token"  # whatever comes of it, an attempt begins with that
        deadline = self._peer.deadline("token" if step == "token-connect" else "handshake")
        self._peer.play(step, Scene(self.out, b"", deadline))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._peer.connections.discard(self)
        self.out.ended()
        if self.carried is not None:
            (session, carrier), self.carried = self.carried, None
            session.carrier_lost(carrier)

    def dataReceived(self, data: bytes) -> None:
        if self._frames is not None:
            self._read_frames(data)
            return
        for request in self._requests.feed(data):
            self._route(request)

    # -- requests

    def _route(self, request: Request) -> None:
        *_, name, last = request.path.rsplit("/", 2)
        if request.path == "/socket/token":
            self._peer.expecting = "session"
            self._answer("token", response(200, {"token": self._peer.issue()}), request)
        elif request.path == "/sockets/info":
            info = {"websocket": True, "origins": ["*:*"], "cookie_needed": False, "entropy": 1}
            self._answer("info", response(200, info), request)
        elif request.upgrades:
            self._open_websocket(name, request)
        elif last in RECEIVERS:
            self._receive(name, RECEIVERS[last], request)
        elif last == "xhr_send":
            self._take(name, request)
        else:
            self._answer("", response(404), request)

    def _answer(self, step: str, honest: bytes, request: Request) -> bool:
        """:return: whether the request was taken."""
        proceed = (lambda: None) if request.persistent else self.out.close
        deadline = self._peer.deadline(step)
        scene = Scene(self.out, honest, deadline, proceed=proceed)
        self._peer.play(step, scene)
        return scene.taken

    def _receive(self, name: str, kind: type[Carrier], request: Request) -> None:
        session = self._peer.sessions.get(name)
        carrier = kind(self.out, persistent=request.persistent)
        if session is None:
            if isinstance(carrier, Poll):
                carrier.begun = True
            self._begin(name, carrier)
            return
        self.carried = (session, carrier)
        if isinstance(carrier, Poll):
            if self._peer.awaits("again"):
                honest = carrier.frame(b"h")
                self._peer.play(
                    "again", Scene(self.out, honest, self._peer.deadline("call"), carrier)
                )
            else:
                session.attach(carrier)
            return
        scene = Scene(self.out, carrier.head(), self._peer.deadline("call"), carrier)
        scene.proceed = lambda: session.attach(carrier)
        self._peer.play("again", scene)

    def _take(self, name: str, request: Request) -> None:
        session = self._peer.sessions.get(name)
        if session is None:
            self._answer("", response(404), request)
            return
        texts = json.loads(request.body)
        poison = any(json.loads(text)["rpc"] == "poison" for text in texts)
        if self._answer("poison" if poison else "send", response(204), request):
            for text in texts:
                session.received(text)

    # -- WebSockets

    def _open_websocket(self, name: str, request: Request) -> None:
        framed = request.path != "/sockets/websocket"
        accept = accept_key(request.headers["sec-websocket-key"])
        self._frames = FrameReader()
        carrier = WebSocket(self.out, accept, framed=framed)
        self._begin(name if framed else f"raw {self._peer.counts['sessions']}", carrier)

    def _begin(self, name: str, carrier: Carrier) -> None:
        session = self._peer.begin(name)
        self.carried = (session, carrier)

        def proceed() -> None:
            # In the next turn, so that even a reset does not take the head with it.
            self.out.later(0, session.attach, carrier)

        deadline = self._peer.deadline("handshake")
        scene = Scene(self.out, carrier.head(), deadline, carrier, proceed=proceed)
        self._peer.play("handshake", scene)

    def _waste(self, payload: bytes) -> None:
        """Messages came in when it was too late for them."""
        text = payload.decode()
        self._peer.record.waste(json.loads(text) if text.startswith("[") else [text])

    def _read_frames(self, data: bytes) -> None:
        assert self._frames is not None
        for opcode, payload in self._frames.feed(data):
            if opcode == TEXT and (self.carried is None or self.out.leaving):
                self._waste(payload)
            if self.carried is None or self.out.leaving:
                continue
            session, carrier = self.carried
            if opcode == TEXT:
                if session.authenticated and self._peer.awaits("send"):
                    self._peer.play(
                        "send", Scene(self.out, b"", self._peer.deadline("call"), carrier)
                    )
                texts = json.loads(payload) if carrier.framed else [payload.decode()]
                for text in texts:
                    session.received(text)
            elif opcode == PING:
                pong = encode_frame(payload, PONG)
                self._peer.play("ping", Scene(self.out, pong, self._peer.deadline("ping")))
            elif opcode == CLOSE and session.carrier is carrier:
                code = struct.unpack("!H", payload[:2])[0] if payload else 1000
                session.close_frame_received(code)
            elif opcode == CLOSE:
                self.out.close()  # the answer to ours
