"""
An attacker with sockets: no patience, no manners, and never in the way of the reactor: its
functions block, and run in a thread.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator

from tests.kit.http import request
from tests.kit.websocket import PING, TEXT, UPGRADE, encode_frame
from tests.server.hostile.cases_frames import FRAMES, WIRE
from tests.server.hostile.cases_http import REQUESTS
from tests.server.hostile.cases_messages import MESSAGES

__all__ = ["Attacker"]

SMALL = 50_000
"""Bytes of the cases that are sent by the thousand."""

PATIENCE = 10.0
"""Seconds for one answer."""

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() resets the connection


class Attacker:
    """
    :param port: of the server, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._sessions = itertools.count()
        self._random = random.Random(3)

    # -- connections

    @contextlib.contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """A TCP connection, closed at the end."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE) as tcp:
            yield tcp

    @contextlib.contextmanager
    def websocket(self, *, authenticated: bool = False) -> Iterator[socket.socket]:
        """An open SockJS session over a WebSocket."""
        with self.connection() as tcp:
            self.upgrade(tcp)
            _until(tcp, b"\x81\x01o")
            if authenticated:
                auth = {"rpc": "auth", "token": self.token(), "uuid": "u"}
                tcp.sendall(_frame(json.dumps(auth)))
                _until(tcp, b"success")
            yield tcp

    def upgrade(self, tcp: socket.socket) -> None:
        """Ask for a WebSocket, and do not wait for the answer."""
        tcp.sendall(request("GET", f"/sockets/000/evil{next(self._sessions)}/websocket", UPGRADE))

    def token(self) -> str:
        """A fresh token."""
        with self.connection() as tcp:
            tcp.sendall(request("GET", "/socket/token", {"Connection": "close"}))
            body = _until(tcp, b"}").partition(b"\r\n\r\n")[2]
        token: str = json.loads(body)["token"]
        return token

    # -- attacks

    def hostile_sessions(self, count: int) -> None:
        """Sessions with a case of the tables each, half of them reset, half closed."""
        for number in range(count):
            data, where = self._hostile(number)
            authenticated = bool(number % 2)
            place = self.websocket(authenticated=authenticated) if where else self.connection()
            with place as tcp:
                if number % 4 < 2:
                    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                tcp.sendall(data)

    def _hostile(self, number: int) -> tuple[bytes, bool]:
        """Bytes, and whether they are for a WebSocket."""
        kinds: list[Callable[[], bytes]] = [
            lambda: encode_frame(json.dumps(self._random.choice(MESSAGES).texts), TEXT),
            lambda: encode_frame(self._random.choice(FRAMES).body, TEXT),
            lambda: self._random.choice(WIRE).data,
            lambda: self._random.choice(REQUESTS).data,
        ]
        kind = number // 4 % len(kinds)
        data = kinds[kind]()
        return (data if len(data) < SMALL else b"", kind < 3)

    def pings_unread(self, seconds: float) -> None:
        """Pings, as many as the server takes, and no pong is read."""
        with self.websocket(authenticated=True) as tcp:
            _pour(tcp, encode_frame("x" * 125, PING) * 500, seconds)

    def echoes_unread(self, seconds: float) -> None:
        """The same with large calls."""
        with self.websocket(authenticated=True) as tcp:
            call = json.dumps({"rpc": "echo", "req": "x" * 900_000})
            _pour(tcp, _frame(call), seconds)

    def requests_unread(self, seconds: float) -> None:
        """The same with requests in one connection."""
        with self.connection() as tcp:
            _pour(tcp, request("GET", "/sockets/iframe.html") * 100, seconds)

    def unfinished_frames(self, count: int, *, authenticated: bool) -> None:
        """As many sessions at once, each with a frame of 4 MiB that lacks its last byte."""
        data = encode_frame("x" * 4 * 1024 * 1024, TEXT)[:-1]
        with contextlib.ExitStack() as stack:
            sessions = [
                stack.enter_context(self.websocket(authenticated=authenticated))
                for _ in range(count)
            ]
            for tcp in sessions:
                with contextlib.suppress(OSError):  # who is refused may hear so before the end
                    tcp.sendall(data)

    def floods(self, count: int) -> None:
        """As many frames without a message, and pings, and strangers who send them at once."""
        for frame in (encode_frame("[]", TEXT), encode_frame("", PING)):
            with contextlib.ExitStack() as stack:
                for _ in range(10):
                    tcp = stack.enter_context(self.websocket())
                    with contextlib.suppress(OSError):
                        tcp.sendall(frame * count)

    def large_bodies(self, megabytes: int) -> None:
        """As a form, which twisted.web reads into memory; once with its length, once without."""
        path, form = "/sockets/000/x/jsonp_send", "application/x-www-form-urlencoded"
        million = b"x" * 1_000_000
        for head, part in (
            ({"Content-Length": str(megabytes * 1_000_000)}, million),
            ({"Transfer-Encoding": "chunked"}, b"f4240\r\n" + million + b"\r\n"),
        ):
            # The server may refuse all of it at any time.
            with self.connection() as tcp, contextlib.suppress(OSError):
                tcp.sendall(request("POST", path, head | {"Content-Type": form}))
                for _ in range(megabytes):
                    tcp.sendall(part)


def _frame(text: str) -> bytes:
    return encode_frame(json.dumps([text]), TEXT)


def _pour(tcp: socket.socket, data: bytes, seconds: float) -> None:
    """Send the same again and again, until nobody takes it or the time is over."""
    tcp.settimeout(0.3)
    end = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        while time.monotonic() < end:
            tcp.sendall(data)


def _until(tcp: socket.socket, wanted: bytes) -> bytes:
    data = b""
    while wanted not in data:
        received = tcp.recv(65536)
        if not received:
            raise AssertionError(f"expected {wanted!r}, got {data!r} and the end")
        data += received
    return data
