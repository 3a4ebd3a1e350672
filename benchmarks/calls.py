"""
What a call costs beside the least that it could cost.

Echoes on loopback, each in batches, in turns within one run, the server in a child process:

- ``autobahn``: bare Autobahn on both sides, one WebSocket message a call;
- ``autobahn one by one``: the same, each waiting for the one before;
- ``TRANSPORT``: ``TokenSocket.rpc`` over each transport, a batch at a time;
- ``TRANSPORT one by one``: each call waits for the answer to the one before.

It prints the time per call as a multiple of ``autobahn``'s, the median of all rounds with
the lowest and the highest::

    python benchmarks/calls.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ServerEndpoint, clientFromString
from twisted.internet.task import react

from txtokensock import TokenSocket
from txtokensock.server import Limits, TokenSocketServer
from txtokensock.server.demo import ACTIONS, authenticate
from txtokensock.sockjs import TRANSPORTS

BATCH = 500
PAYLOAD = {"foo": "bar", "numbers": [1, 2, 3]}


class Echo(WebSocketServerProtocol):
    """The bare server."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


class Caller(WebSocketClientProtocol):
    """The bare client: counts answers."""

    def call(self, payload: bytes, count: int) -> Deferred[None]:
        """Send ``payload`` so often; fires when it came back as often."""
        self.missing = count
        self.done: Deferred[None] = Deferred()
        for _ in range(count):
            self.sendMessage(payload)
        return self.done

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.missing -= 1
        if not self.missing:
            self.done.callback(None)


async def serve(reactor) -> None:
    """The child: both servers, until stdin ends."""
    limits = Limits(messages_per_second=1e9, message_burst=10**9)
    server = TokenSocketServer(authenticate, actions=ACTIONS, limits=limits, reactor=reactor)
    server.startService()
    bare = WebSocketServerFactory(reactor=reactor)
    bare.protocol = Echo
    for factory in (bare, server.site()):
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
        print(port.getHost().port, flush=True)
    await Deferred()


async def timed(measured: Callable[[], Awaitable[object]]) -> float:
    """Seconds per call."""
    start = time.perf_counter()
    await measured()
    return (time.perf_counter() - start) / BATCH


async def together(socket: TokenSocket) -> None:
    """A batch of calls, all at once."""
    await gatherResults([socket.rpc("echo", PAYLOAD) for _ in range(BATCH)])


async def one_by_one(socket: TokenSocket) -> None:
    """A batch of calls, each after the one before."""
    for _ in range(BATCH):
        await socket.rpc("echo", PAYLOAD)


async def measure(reactor, rounds: int, bare_port: int, port: int) -> None:
    """The rounds, and what came of them."""
    factory = WebSocketClientFactory(f"ws://127.0.0.1:{bare_port}", reactor=reactor)
    factory.protocol = Caller
    caller = await clientFromString(reactor, f"tcp:127.0.0.1:{bare_port}").connect(factory)
    await caller.is_open
    sockets = {
        name: TokenSocket("127.0.0.1", port=port, transports=(name,), reactor=reactor)
        for name in TRANSPORTS
    }
    for socket in sockets.values():
        socket.startService()
        await socket.when_ready()

    async def bare_one_by_one() -> None:
        for _ in range(BATCH):
            await caller.call(text, 1)

    text = b'{"rpc":"echo","uuid":"0123456789abcdef-1f","resp":{"foo":"bar","numbers":[1,2,3]}}'
    kinds: dict[str, Callable[[], Awaitable[object]]] = {
        "autobahn": lambda: caller.call(text, BATCH),
        "autobahn one by one": bare_one_by_one,
    }
    for name, socket in sockets.items():
        kinds[name] = partial(together, socket)
        kinds[f"{name} one by one"] = partial(one_by_one, socket)
    ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
    for round in range(rounds + 2):
        seconds = {kind: await timed(run) for kind, run in kinds.items()}
        if round >= 2:  # the first warm up
            for kind, taken in seconds.items():
                ratios[kind].append(taken / seconds["autobahn"])
    for kind, values in ratios.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{kind:<25} {middle:6.2f}   ({low:.2f} to {high:.2f})")
    await gatherResults([socket.end() for socket in sockets.values()])
    caller.dropConnection(abort=True)


def main() -> None:
    """Start the child, measure, end it."""
    if sys.argv[1:] == ["--serve"]:
        react(serve)
    rounds = int(sys.argv[1]) if sys.argv[1:] else 20
    with subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            ports = [int(child.stdout.readline()) for _ in range(2)]
            react(measure, [rounds, *ports])
        finally:
            child.kill()


if __name__ == "__main__":
    main()
