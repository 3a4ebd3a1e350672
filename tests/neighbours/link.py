"""
A client's connection that can send anything, whether it is allowed or not.

Nothing here waits for long: who attacks has a deadline, and aborts all its connections then.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from tests.kit.http import request
from txtokensock.testing.rfc6455 import CLOSE, TEXT, FrameReader, encode_frame

__all__ = [
    "HONEST",
    "UPGRADE",
    "Address",
    "Behaviour",
    "Link",
    "Refused",
    "both",
    "frame",
    "message",
    "messages",
]

HONEST = "127.0.0.1"
"""The address of the honest clients; an attacker has others, all of them this machine's."""

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
}

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() resets, so that no port stays in use
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_CLOSED = re.compile(rb"c\[(\d+),")


class Refused(ConnectionError):
    """What the attack, or the honest client, needs was not granted."""


def frame(payload: bytes | str, opcode: int = TEXT, *, final: bool = True) -> bytes:
    """A WebSocket frame of a client."""
    data = payload.encode() if isinstance(payload, str) else payload
    return encode_frame(data, opcode, final=final, masked=True)


def messages(*objects: Any) -> bytes:
    """One SockJS frame with these token-sockjs messages, in a WebSocket frame."""
    return frame(
        json.dumps([each if isinstance(each, str) else json.dumps(each) for each in objects])
    )


def message(rpc: str, req: Any = None, uuid: str = "u") -> dict[str, Any]:
    """A request to the server."""
    return {"rpc": rpc, "req": req, "uuid": uuid}


class Address:
    """
    Where the server is, and from where a client of it connects.

    :param tls: whether it speaks TLS.
    """

    _sessions = itertools.count()

    def __init__(self, port: int, *, tls: bool = False) -> None:
        self.port = port
        self._tls: ssl.SSLContext | None = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE

    async def connect(self, source: str, *, plain: bool = False, buffer: int = 0) -> Link:
        """
        Connect.

        :param plain: without TLS also where the server has it.
        :param buffer: bytes of the receive buffer, 0 for the system's.
        """
        tcp = socket.socket()
        try:
            tcp.setblocking(False)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            if buffer:
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            tcp.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(tcp, ("127.0.0.1", self.port))
            context = None if plain else self._tls
            name = None if context is None else "localhost"
            streams = await asyncio.open_connection(
                sock=tcp, ssl=context, server_hostname=name, limit=1 << 20
            )
        except BaseException:
            tcp.close()
            raise
        return Link(*streams, self)

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        """A whole request; underscores in names of headers stand for hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return request(method, path, {"Host": f"127.0.0.1:{self.port}"} | fields, body)

    async def token(self, source: str) -> str:
        """A fresh token."""
        link = await self.connect(source)
        try:
            await link.send(self.request("GET", "/socket/token?user=somebody"))
            status, body = await link.response()
            if status != 200:
                raise Refused(f"token: {status} {body[:80]!r}")
            return str(json.loads(body)["token"])
        finally:
            link.abort()

    def new_session(self) -> str:
        """The path of a SockJS session that nobody else has."""
        return f"/sockets/000/session{next(self._sessions)}x{id(self):x}"


class Link:
    """
    One connection.

    :ivar statuses: of the HTTP responses that came.
    :ivar code: with which the SockJS session, or the WebSocket, was closed, or empty.
    :ivar gone: whether the other side has closed the connection.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: Address
    ) -> None:
        self._reader, self._writer, self._address = reader, writer, address
        self._frames: FrameReader | None = None
        self._unread = b""
        self.statuses: Counter[str] = Counter()
        self.code = ""
        self.gone = False

    def __str__(self) -> str:
        """What was answered."""
        if self.code:
            return self.code
        if self.statuses and self._frames is None:
            return "HTTP " + "/".join(sorted(self.statuses))
        return "closed" if self.gone else "open"

    # -- out

    def write(self, data: bytes) -> None:
        """Send, and do not wait."""
        self._writer.write(data)

    async def send(self, data: bytes) -> None:
        """Send, and wait until there is room for more."""
        self._writer.write(data)
        await self._writer.drain()

    async def pour(self, data: bytes, times: int | None = None) -> None:
        """Send the same again and again, for ever, or so many times."""
        for _ in itertools.count() if times is None else range(times):
            await self.send(data)
            await asyncio.sleep(0)

    def abort(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()

    # -- in

    async def read(self) -> bytes:
        """What came; the end of the connection is an error."""
        data = await self._reader.read(1 << 16)
        if not data:
            self.gone = True
            raise ConnectionResetError("closed")
        self._look_at(data)
        return data

    async def read_on(self) -> None:
        """Read until the connection ends."""
        while True:
            await self.read()

    async def until(self, wanted: bytes) -> bytes:
        """Read until that has come; what is behind it stays."""
        while wanted not in self._unread:
            if self.code:
                raise Refused(f"closed with {self.code}")
            self._unread += await self.read()
        before, _, self._unread = self._unread.partition(wanted)
        return before

    async def response(self) -> tuple[int, bytes]:
        """One HTTP response with a length, or in chunks."""
        head = await self.until(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if b"chunked" in head.lower():
            return status, await self.until(b"0\r\n\r\n")
        found = re.search(rb"content-length: *(\d+)", head.lower())
        size = int(found[1]) if found else 0
        while len(self._unread) < size:
            self._unread += await self.read()
        body, self._unread = self._unread[:size], self._unread[size:]
        return status, body

    def _look_at(self, data: bytes) -> None:
        if self._frames is None:
            self.statuses.update(found.decode() for found in _STATUS.findall(data))
            if found := _CLOSED.search(data):
                self.code = self.code or found[1].decode()
            return
        for opcode, payload in self._frames.feed(data):
            if opcode == TEXT and (found := _CLOSED.match(payload)):
                self.code = self.code or found[1].decode()
            elif opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big")
                self.code = self.code or str(code or 1005)

    # -- protocols

    async def upgrade(self, path: str = "") -> None:
        """Become a WebSocket with a SockJS session."""
        path = path or f"{self._address.new_session()}/websocket"
        await self.send(self._address.request("GET", path, **UPGRADE))
        head = await self.until(b"\r\n\r\n")
        if b" 101 " not in head:
            raise Refused(head[:80].decode("latin-1"))
        self._frames = FrameReader(masked=False)
        self._look_at(self._unread)
        await self.until(b"\x81\x01o")

    async def join_realm(self, realm: str) -> None:
        """Become a WAMP session at a router."""
        protocol = {"Sec-WebSocket-Protocol": "wamp.2.json"}
        await self.send(self._address.request("GET", "/ws", **UPGRADE, **protocol))
        await self.until(b"\r\n\r\n")
        self._frames = FrameReader(masked=False)
        self._look_at(self._unread)
        roles: dict[str, Any] = {"caller": {}, "publisher": {}}
        await self.send(frame(json.dumps([1, realm, {"roles": roles}])))
        await self.until(b"[2,")

    async def authenticate(self, token: str) -> None:
        """Do so."""
        await self.send(messages({"rpc": "auth", "token": token, "uuid": "a"}))
        await self.until(b"success")

    async def subscribe(self, *channels: str) -> None:
        """Be subscribed to them."""
        await self.send(messages(*(message("_subscribe", {"channel": each}) for each in channels)))
        await self.until(b'\\"channel\\":\\"' + channels[-1].encode())


async def both(*what: Awaitable[Any]) -> None:
    """Do several things at once, until the first fails."""
    async with asyncio.TaskGroup() as group:
        for each in what:
            group.create_task(_as_coroutine(each))


async def _as_coroutine(what: Awaitable[Any]) -> None:
    await what


Behaviour = Callable[[Link], Awaitable[Any]]
