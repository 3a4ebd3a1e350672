"""
Peers of a server that are nothing but sockets, many in one process, so that the server does the
work that is measured: what it takes depends on no client's way of gathering.  Works, besides
those of ``drivers``:

``{"work": "open", "peers": N, "channels": N}``, ``{"work": "close"}``
    opens peers, authenticated and subscribed to so many channels; closes all;
``{"work": "echo", "in_flight": N, "batched": BOOL, "size": BYTES, "seconds": S}``
    one peer calls, each call in a frame of its own or all in one, and waits for all answers;
``{"work": "fan-out", "size": BYTES, "seconds": S}``
    one peer publishes, and all others get it, before it publishes again; a delivery counts;
``{"work": "connect", "seconds": S}``
    one peer after the other is opened, and stays.
"""

from __future__ import annotations

import itertools
import json
import os
import selectors
import socket
import ssl
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from typing import Any

from tests.kit.http import request
from tests.kit.websocket import UPGRADE
from txtokensock.testing.rfc6455 import FrameReader, encode_frame

from .drivers import CHANNEL, HOST, obey, outcome

__all__ = ["run"]

_SILENCE = 30.0
"""Seconds without a byte, after which something is wrong."""

_CERTIFICATE = os.environ.get("CERTIFICATE")
_TLS = ssl.create_default_context(cafile=_CERTIFICATE) if _CERTIFICATE else None

_numbers = itertools.count()


def _frame(*messages: dict[str, Any]) -> bytes:
    """A frame of those messages, whose mask is not zero, as a client's is not."""
    payload = json.dumps([json.dumps(message) for message in messages]).encode()
    mask, size = os.urandom(4), len(payload)
    masks = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    masked = (int.from_bytes(payload, "big") ^ masks).to_bytes(size, "big")
    head = encode_frame(payload, masked=True)[: -size - 4]
    return head + mask + masked


class Peer:
    """
    A peer, authenticated and subscribed when this returns.

    :param port: of the server.
    :param channels: to how many channels, the first of which is that of the fan-out.
    """

    def __init__(self, port: int, channels: int) -> None:
        with closing(
            HTTPSConnection(HOST, port, context=_TLS) if _TLS else HTTPConnection(HOST, port)
        ) as http:
            http.request("GET", "/socket/token")
            token = json.load(http.getresponse())["token"]
        plain = socket.create_connection((HOST, port), timeout=_SILENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = _TLS.wrap_socket(plain, server_hostname=HOST) if _TLS else plain
        self._reader = FrameReader(masked=False)
        number = next(_numbers)
        path = f"/sockets/{number % 1000:03}/bench{number}/websocket"
        offers = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
        headers = {"Host": f"{HOST}:{port}", "User-Agent": "bench", **UPGRADE, **offers}
        self.socket.sendall(request("GET", path, headers))
        self._upgraded()
        self._request("uuid", {"rpc": "auth", "token": token})
        names = [CHANNEL, *(f"{CHANNEL}-{number}" for number in range(1, channels))][:channels]
        for begin in range(0, channels, 1000):
            some = names[begin : begin + 1000]
            requests = [{"rpc": "_subscribe", "req": {"channel": name}} for name in some]
            self._request("command", *requests)

    def _upgraded(self) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.socket.recv(65536)
        head, _, frames = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(head)
        self._reader.feed(frames)

    def _request(self, answer: str, *messages: dict[str, Any]) -> None:
        self.socket.sendall(_frame(*({**message, "uuid": "bench"} for message in messages)))
        missing = len(messages)
        while missing:
            missing -= sum(answer in message for message in self.read())

    def read(self) -> list[dict[str, Any]]:
        """The messages that the next bytes complete."""
        data = self.socket.recv(1 << 18)
        while isinstance(self.socket, ssl.SSLSocket) and (more := self.socket.pending()):
            data += self.socket.recv(more)
        if not data:
            raise RuntimeError("the server closed a peer")
        return [
            json.loads(text)
            for _, payload in self._reader.feed(data)
            if payload.startswith(b"a")
            for text in json.loads(payload[1:])
        ]


class Peers:
    """
    Does the works.

    :param port: of the server.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._peers: list[Peer] = []
        self._channels = 0

    def open(self, peers: int, channels: int = 1) -> dict[str, Any]:
        """Open so many."""
        self._peers += [Peer(self._port, channels) for _ in range(peers)]
        self._channels = peers * channels
        return {}

    def close(self) -> dict[str, Any]:
        """Close all, and give the server time for it."""
        while self._peers:
            self._peers.pop().socket.close()
        time.sleep(0.5 + self._channels / 60_000)
        return {}

    def connect(self, seconds: float) -> dict[str, Any]:
        """Open one after the other."""
        latencies = []
        begun = time.perf_counter()
        while (sent := time.perf_counter()) < begun + seconds:
            self.open(1)
            latencies.append(time.perf_counter() - sent)
        return outcome(begun, latencies, len(latencies), 0)

    def echo(self, in_flight: int, batched: bool, size: int, seconds: float) -> dict[str, Any]:
        """Call, all at a time."""
        peer, data = self._peers[0], "x" * size
        calls = [
            {"rpc": "echo", "req": data, "uuid": f"{number:032x}"} for number in range(in_flight)
        ]
        frames = _frame(*calls) if batched else b"".join(map(_frame, calls))
        latencies, wrong = [], 0
        begun = time.perf_counter()
        while (sent := time.perf_counter()) < begun + seconds:
            peer.socket.sendall(frames)
            missing = {call["uuid"] for call in calls}
            while missing:
                for answer in peer.read():
                    missing.remove(answer["uuid"])
                    wrong += answer["resp"] != data
            latencies.append(time.perf_counter() - sent)
        return outcome(begun, latencies, len(latencies) * in_flight, wrong)

    def fan_out(self, size: int, seconds: float) -> dict[str, Any]:
        """Publish, one message at a time."""
        data, latencies, wrong = "x" * size, [], 0
        message = {"rpc": "_publish", "req": {"channel": CHANNEL, "data": data}, "uuid": "bench"}
        publisher, frame = Peer(self._port, 0), _frame(message)
        with selectors.DefaultSelector() as selector:
            for peer in (publisher, *self._peers):
                selector.register(peer.socket, selectors.EVENT_READ, peer)
            begun = time.perf_counter()
            while (sent := time.perf_counter()) < begun + seconds:
                publisher.socket.sendall(frame)
                missing = set(self._peers)
                while missing:
                    if not (ready := selector.select(_SILENCE)):
                        raise RuntimeError(f"{len(missing)} peers do not get the message")
                    for key, _ in ready:
                        for got in key.data.read():
                            if got.get("channel") == CHANNEL:
                                missing.remove(key.data)
                                wrong += got["message"] != data
                latencies.append(time.perf_counter() - sent)
        result = outcome(begun, latencies, len(latencies) * len(self._peers), wrong)
        publisher.socket.close()
        return result


def run(port: str) -> None:
    """Do the works that stdin asks for."""
    peers = Peers(int(port))
    obey(
        {
            "open": peers.open,
            "close": peers.close,
            "connect": peers.connect,
            "echo": peers.echo,
            "fan-out": peers.fan_out,
        }
    )
