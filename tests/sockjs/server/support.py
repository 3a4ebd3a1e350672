"""
A SockJS server in memory: a real twisted.web site on a Clock, and clients of a few lines.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Site

from txtokensock.sockjs.server.resource import SockJSResource

KEY = "x3JJHMbDL1EzLkh9GBhXDw=="
ACCEPT = "HSmrc0sMlYUkAGmm5OPpG2HaGWk="
TCP_BUFFER = 64 * 1024

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Recorder(Protocol):
    """Notes all that it hears; ``echo`` sends it back."""

    echo = False

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.made = 0
        self.lost: list[Failure] = []

    def connectionMade(self) -> None:
        self.made += 1

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)
        if self.echo:
            self.transport.write(data)

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason)


class Echo(Recorder):
    echo = True


class Closer(Recorder):
    """Closes at once, as the suite's ``/close`` does."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.close(3000, "Go away!")


class Recorders(Factory):
    """Keeps the protocols it built."""

    def __init__(self, protocol: type[Recorder] = Echo) -> None:
        self.protocol = protocol
        self.built: list[Any] = []
        self.addresses: list[Any] = []

    def buildProtocol(self, address: Any) -> Any:
        self.addresses.append(address)
        self.built.append(self.protocol())
        return self.built[-1]


class TCP(StringTransport):
    """
    A TCP connection whose peer may stop reading: then what is written stays in the
    buffer, which tells its producer when it is full, and when it has drained.
    """

    def __init__(self, clock: Clock, peer: str) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", peer, 54321))
        self.clock = clock
        self.protocol: Any = None
        self.reading = True
        self.buffered = 0
        self.producer_paused = False
        self.lost = False

    def write(self, data: bytes) -> None:
        if self.lost:
            return
        super().write(data)
        self._fill(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def _fill(self, data: bytes) -> None:
        if not self.reading:
            self.buffered += len(data)
            if self.buffered > TCP_BUFFER and self.producer and not self.producer_paused:
                self.producer_paused = True
                self.producer.pauseProducing()

    def pauseProducing(self) -> None:
        if not self.disconnecting:
            super().pauseProducing()

    def resumeProducing(self) -> None:
        if not self.disconnecting:
            super().resumeProducing()

    def stop_reading(self) -> None:
        """The peer reads no more."""
        self.reading = False

    def read_again(self) -> None:
        """The peer reads all there is."""
        self.reading = True
        self.buffered = 0
        if self.producer_paused:
            self.producer_paused = False
            self.producer.resumeProducing()
        if self.disconnecting:
            self.lose(ConnectionDone())

    def unregisterProducer(self) -> None:
        super().unregisterProducer()
        self.producer_paused = False

    def loseConnection(self) -> None:
        self.disconnecting = True
        if self.reading:
            self.clock.callLater(0, self.lose, ConnectionDone())

    def abortConnection(self) -> None:
        self.disconnected = self.aborting = True
        self.clock.callLater(0, self.lose, ConnectionAborted())

    def lose(self, reason: Exception) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(reason))

    aborting = False


@dataclass
class Response:
    """One HTTP response, as far as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool


class Connection:
    """One client's TCP connection to the site."""

    def __init__(self, server: Server, peer: str) -> None:
        self.server = server
        self.tcp = TCP(server.clock, peer)
        self.channel = server.site.buildProtocol(self.tcp.getPeer())
        self.tcp.protocol = self.channel
        self.channel.makeConnection(self.tcp)

    def send(self, data: bytes) -> None:
        """Bytes reach the server."""
        self.channel.dataReceived(data)

    def take(self) -> bytes:
        """What the server sent since this was last asked."""
        data: bytes = self.tcp.value()
        self.tcp.clear()
        return data

    def drop(self) -> None:
        """The client goes without a word."""
        self.tcp.lose(ConnectionLost())

    def request(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        version: str = "1.1",
    ) -> Response:
        """Send a request; the response may be incomplete, as a poll's is."""
        lines = [f"{method} {path} HTTP/{version}", "Host: example.com"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode() + body)
        return self.response()

    def response(self) -> Response:
        """The response to the last request, as far as it came."""
        return parse_response(self.tcp.value())

    def chunks(self) -> list[bytes]:
        """The chunks of a streaming response; the last is empty if it has ended."""
        data = self.tcp.value()
        chunks, complete = split_chunks(data.partition(b"\r\n\r\n")[2])
        return [*chunks, b""] if complete else chunks


def parse_response(data: bytes) -> Response:
    """One HTTP response."""
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    complete = True
    if headers.get("transfer-encoding") == "chunked":
        chunks, complete = split_chunks(body)
        body = b"".join(chunks)
    elif "content-length" in headers:
        complete = len(body) == int(headers["content-length"])
    code = int(status.split()[1]) if data else 0
    return Response(code, headers, body, complete and bool(data))


def split_chunks(body: bytes) -> tuple[list[bytes], bool]:
    """The chunks of a chunked body, and whether the last one has come."""
    chunks = []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return chunks, True
        chunks.append(body[:length])
        body = body[length + 2 :]
    return chunks, False


class WebSocketClient:
    """The client's end of a WebSocket, frame by frame."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.tcp = connection.tcp
        self._unread = b""

    def send(self, text: str | bytes, opcode: int = TEXT, *, final: bool = True) -> None:
        """Send one frame."""
        self.connection.send(encode_frame(text, opcode, final=final))

    def close(self, code: int = 1000) -> None:
        """Send a close frame."""
        self.send(struct.pack("!H", code), CLOSE)

    def frames(self) -> list[tuple[int, bytes]]:
        """The frames that came, as (opcode, payload)."""
        data = self._unread + self.connection.take()
        frames = []
        while len(data) >= 2:
            length, start = data[1] & 127, 2
            if length == 126:
                length, start = struct.unpack("!H", data[2:4])[0], 4
            elif length == 127:
                length, start = struct.unpack("!Q", data[2:10])[0], 10
            if len(data) < start + length:
                break
            frames.append((data[0] & 15, data[start : start + length]))
            data = data[start + length :]
        self._unread = data
        return frames

    def texts(self) -> list[str]:
        """The text messages that came; anything else is an error."""
        frames = self.frames()
        assert all(opcode == TEXT for opcode, _ in frames), frames
        return [payload.decode() for _, payload in frames]


def encode_frame(text: str | bytes, opcode: int, *, final: bool = True) -> bytes:
    """A masked WebSocket frame; the mask is zero, so that tests can be read."""
    payload = text.encode() if isinstance(text, str) else text
    first = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        length = bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        length = b"\xfe" + struct.pack("!H", len(payload))
    else:
        length = b"\xff" + struct.pack("!Q", len(payload))
    return first + length + b"\0\0\0\0" + payload


def close_frame(code: int, reason: str = "") -> tuple[int, bytes]:
    """A close frame as :meth:`WebSocketClient.frames` gives it."""
    return CLOSE, struct.pack("!H", code) + reason.encode()


class Server:
    """
    A site with a SockJS resource at ``/echo``.

    :param protocol: what it serves.
    :param options: the resource's.
    """

    def __init__(self, protocol: type[Recorder] = Echo, **options: Any) -> None:
        self.clock = Clock()
        self.factory = options.pop("factory", None) or Recorders(protocol)
        self.resource = SockJSResource(self.factory, reactor=self.clock, **options)
        root = Resource()
        root.putChild(b"echo", self.resource)
        self.site = Site(root, reactor=self.clock, timeout=None)

    @property
    def protocols(self) -> list[Any]:
        """The protocols built so far."""
        return self.factory.built

    def connect(self, peer: str = "10.0.0.1") -> Connection:
        """A new client."""
        return Connection(self, peer)

    def request(self, method: str, path: str, *args: Any, **kwargs: Any) -> Response:
        """A request of a new client, below ``/echo``; time passes for what is to follow."""
        connection = self.open(method, path, *args, **kwargs)
        return connection.response()

    def open(self, method: str, path: str, *args: Any, **kwargs: Any) -> Connection:
        """The same, with the connection, for responses that go on."""
        connection = self.connect(kwargs.pop("peer", "10.0.0.1"))
        connection.request(method, "/echo" + path, *args, **kwargs)
        self.clock.advance(0)
        return connection

    def poll(self, session: str = "/000/abc") -> bytes:
        """The body of an xhr poll, which is complete."""
        response = self.request("POST", session + "/xhr")
        assert response.status == 200, response
        assert response.complete, response
        return response.body

    def send(self, body: str | bytes, session: str = "/000/abc") -> int:
        """The status of an xhr_send; 0 if it waits."""
        data = body.encode() if isinstance(body, str) else body
        return self.request("POST", session + "/xhr_send", body=data).status

    def upgrade(
        self, path: str = "/000/abc/websocket", peer: str = "10.0.0.1", **headers: str
    ) -> Connection:
        """A new client that asked for a WebSocket."""
        wanted = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": KEY,
        }
        wanted.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection = self.connect(peer)
        connection.request("GET", "/echo" + path, wanted)
        return connection

    def websocket(self, path: str = "/000/abc/websocket", peer: str = "10.0.0.1") -> Any:
        """A new client with an open WebSocket."""
        connection = self.upgrade(path, peer)
        head, _, frames = connection.take().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        client = WebSocketClient(connection)
        client._unread = frames
        return client
