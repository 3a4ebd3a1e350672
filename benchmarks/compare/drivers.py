"""
The contestants in Python, each as a process: ``python -m benchmarks.compare.drivers NAME [PORT]``.

A server prints ``{"port": N}``.  A client prints ``{"ready": true}``, then reads a work from each
line of stdin, does it, and prints what came of it:

``{"work": "rpc", "in_flight": N, "size": BYTES, "seconds": S}``
    calls that many at a time, and compares every answer;
``{"work": "receive", "count": N, "size": BYTES, "seconds": S}``
    has the server publish that many messages, again and again, and compares each;
``{"work": "wait", "count": N}``
    calls that often what never answers;
``{"work": "called", "count": N, "size": BYTES, "seconds": S}``
    has the server call it that often at a time, and compare the answers;
``{"work": "publish", "count": N, "size": BYTES}``, and ``"seconds": S`` for again and again,
    publishes that often, 1,000 at a time, and then calls, which is answered after them;
``{"work": "open", "channels": N}``, ``{"work": "close"}``
    subscribes to so many channels, in which there is nothing; unsubscribes from them;
``{"work": "start", "command": NAME, "seconds": S}``
    starts that command of ``benchmarks/start.py`` again and again.

A server, and the client that is for it, takes from its environment: ``REDIS_PORT``, of its store;
``CERTIFICATE``, a PEM file for TLS, with the key beside it; ``REACTOR``, that is ``asyncio``.

The result is ``{"done": N, "seconds": S, "p50": S, "p99": S, "wrong": N}``, and
``"processor": S`` where it is of other processes than the client's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

__all__ = ["main"]

HOST = "127.0.0.1"
CHANNEL = f"bench-{os.getpid()}"
"""Of its own for each client: one is not to get, and count, what another one asked for."""


class Client(Protocol):
    """What a driver of a client has to do."""

    async def call(self, data: str) -> str:
        """Have ``data`` sent back."""

    async def burst(self, count: int, data: str, on_message: Callable[[Any], None]) -> None:
        """Have the server publish ``data`` so often; each message goes to ``on_message``."""


class Whole(Client, Protocol):
    """What a driver of ``TokenSocket`` has to do besides."""

    async def wait(self, count: int) -> None:
        """Make calls that are not answered."""

    async def open(self, channels: int) -> None:
        """Subscribe."""

    async def close(self) -> None:
        """Unsubscribe from those."""

    async def publish(self, count: int, data: str) -> None:
        """Publish, and wait until the server has all."""

    async def called(self, count: int, data: str) -> int:
        """Have the server call; how many answers it found right."""


class Spread:
    """Works on a client, by coroutines that any event loop runs."""

    def __init__(self, client: Client, gather: Callable[..., Awaitable[Any]]) -> None:
        self._client = client
        self._gather = gather

    async def do(self, work: dict[str, Any]) -> dict[str, Any]:
        """Do one work, and say what came of it."""
        name, client = work.pop("work"), cast(Whole, self._client)
        if name in ("wait", "open", "close"):
            await getattr(client, name)(**work)
            return {}
        data = "x" * work["size"]
        self._done = self._wrong = 0
        self._latencies: list[float] = []
        begun = time.perf_counter()
        end = begun + work.get("seconds", 0)
        if name == "rpc":
            await self._gather(*(self._calls(data, end) for _ in range(work["in_flight"])))
            return outcome(begun, self._latencies, self._done, self._wrong)
        count = work["count"]
        while not self._done or time.perf_counter() < end:
            if name == "receive":
                await client.burst(count, data, lambda got: self._count(got == data))
            elif name == "publish":
                await client.publish(count, data)
                self._done += count
            else:
                self._wrong += count - await client.called(count, data)
                self._done += count
        return outcome(begun, self._latencies, self._done, self._wrong)

    def _count(self, right: bool) -> None:
        self._done += 1
        self._wrong += not right

    async def _calls(self, data: str, end: float) -> None:
        while (sent := time.perf_counter()) < end:
            answer = await self._client.call(data)
            self._latencies.append(time.perf_counter() - sent)
            self._count(answer == data)


def outcome(begun: float, latencies: list[float], done: int, wrong: int) -> dict[str, Any]:
    """What came of a work that ends now."""
    seconds = time.perf_counter() - begun
    latencies = sorted(latencies) or [0.0]
    return {
        "done": done,
        "seconds": seconds,
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[len(latencies) * 99 // 100],
        "wrong": wrong,
    }


def say(**fields: Any) -> None:
    """Tell the parent."""
    print(json.dumps(fields), flush=True)


# -- without an event loop


def obey(works: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Do the works from stdin, by functions that take their fields."""
    say(ready=True)
    for line in sys.stdin:
        fields = json.loads(line)
        say(**works[fields.pop("work")](**fields))


def peers(port: str, transport: str) -> None:
    from .peers import run

    run(port)


def http(port: str, transport: str) -> None:
    from .bridges import run

    run(port)


def wamp(port: str, transport: str) -> None:
    from .bridges import publisher

    run_twisted(lambda reactor: publisher(reactor, port))


def bridge(name: str) -> None:
    from twisted.internet.task import react

    from . import bridges

    react(getattr(bridges, name))


def command(port: str, transport: str) -> None:
    from benchmarks import start

    commands = start.commands(int(port))

    def works(command: str, seconds: float) -> dict[str, Any]:
        latencies, wrong, used = [], 0, start.processor()
        begun = time.perf_counter()
        while (sent := time.perf_counter()) < begun + seconds:
            if command == "twistd":
                with start.server(dict(os.environ)):
                    latencies.append(time.perf_counter() - sent)
            else:
                arguments = [sys.executable, *commands[command]]
                wrong += subprocess.run(arguments, capture_output=True, check=False).returncode
                latencies.append(time.perf_counter() - sent)
        result = outcome(begun, latencies, len(latencies), wrong)
        return {**result, "processor": start.processor() - used}

    obey({"start": works})


# -- on Twisted


class Ours:
    """``TokenSocket``."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._heard: Callable[[Any], None] = lambda _: None

    async def connect(self) -> None:
        """Connect, and subscribe."""
        self._socket.startService()
        await self._socket.when_ready()
        await self._socket.subscribe(CHANNEL, lambda message: self._heard(message))

    async def call(self, data: str) -> str:
        answer: str = await self._socket.rpc("echo", data)
        return answer

    async def burst(self, count: int, data: str, on_message: Callable[[Any], None]) -> None:
        from twisted.internet.defer import Deferred

        missing, all_there = count, Deferred()

        def heard(message: Any) -> None:
            nonlocal missing
            on_message(message)
            missing -= 1
            if not missing:
                all_there.callback(None)

        self._heard = heard
        await self._socket.rpc("burst", {"channel": CHANNEL, "data": data, "count": count})
        await all_there

    async def wait(self, count: int) -> None:
        """Make calls that wait, a thousand after the other."""
        from twisted.internet import reactor
        from twisted.internet.task import deferLater

        self._waiting = []
        for _ in range(count // 1000):
            calls = [self._socket.rpc("wait", timeout=3600) for _ in range(1000)]
            self._waiting += [call.addErrback(lambda _: None) for call in calls]
            await deferLater(reactor, 0)

    async def open(self, channels: int) -> None:
        names = [f"{CHANNEL}-{number}" for number in range(channels)]
        subscribed = [self._socket.subscribe(name, lambda message: None) for name in names]
        self._subscriptions = await gathered(subscribed)

    async def close(self) -> None:
        await gathered([each.unsubscribe() for each in self._subscriptions])

    async def publish(self, count: int, data: str) -> None:
        channel = f"{CHANNEL}-silent"  # nobody listens
        for _ in range(count // 1000):
            await gathered([self._socket.publish(channel, data) for _ in range(1000)])
            await self._socket.rpc("echo")

    async def called(self, count: int, data: str) -> int:
        right: int = await self._socket.rpc("ask", {"data": data, "count": count})
        return right


class AutobahnEcho:
    """A bare Autobahn WebSocket; answers come in order."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    async def call(self, data: str) -> str:
        payload: bytes = await self._protocol.call(data.encode())
        return payload.decode()

    async def burst(self, count: int, data: str, on_message: Callable[[Any], None]) -> None:
        raise NotImplementedError("an echo server publishes nothing")


def gathered(deferreds: Any) -> Any:
    """Fires with all their results."""
    from twisted.internet.defer import gatherResults

    return gatherResults(deferreds)


def twisted_gather(*calls: Any) -> Any:
    """As ``asyncio.gather``."""
    from twisted.internet.defer import Deferred

    return gathered([Deferred.fromCoroutine(call) for call in calls])


def run_twisted(connect: Callable[[Any], Awaitable[Client]]) -> None:
    """Run a client on Twisted's reactor."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.stdio import StandardIO
    from twisted.internet.task import react
    from twisted.protocols.basic import LineOnlyReceiver

    async def main(reactor: Any) -> None:
        client = await connect(reactor)
        over: Deferred[None] = Deferred()
        spread = Spread(client, twisted_gather)

        class Works(LineOnlyReceiver):
            delimiter = b"\n"

            def lineReceived(self, line: bytes) -> None:
                done = Deferred.fromCoroutine(spread.do(json.loads(line)))
                done.addCallbacks(lambda result: say(**result), over.errback)

            def connectionLost(self, reason: Any = None) -> None:
                if not over.called:
                    over.callback(None)

        StandardIO(Works())
        say(ready=True)
        await over

    react(main, _reactor=reactor)


def ours(port: str, transport: str) -> None:
    from txtokensock import TLSPolicy, TokenSocket

    async def connect(reactor: Any) -> Client:
        tls = os.environ.get("CERTIFICATE")
        socket = TokenSocket(
            f"https://{HOST}" if tls else HOST,
            port=int(port),
            actions={"echo": lambda data: data},
            transports=[transport],
            queue_limit=200_000,
            tls=TLSPolicy(authorities=tls) if tls else None,
            reactor=reactor,
        )
        client = Ours(socket)
        await client.connect()
        return client

    run_twisted(connect)


def ours_server() -> None:
    from twisted.internet.task import react

    async def main(reactor: Any) -> None:
        say(port=await listening(reactor))
        await stdin_end()

    react(main)


async def listening(reactor: Any) -> int:
    """
    Start our server; its limits are raised where the works cross them, none is lifted.

    :return: its port.
    """
    from twisted.internet.defer import Deferred, gatherResults
    from twisted.internet.endpoints import serverFromString

    from txtokensock.server import Limits, TokenSocketServer

    async def burst(data: Any, peer: Any) -> int:
        published = [server.publish(data["channel"], data["data"]) for _ in range(data["count"])]
        await gatherResults(published)
        return len(published)

    async def ask(data: Any, peer: Any) -> int:
        calls = [peer.rpc("echo", data["data"]) for _ in range(data["count"])]
        return sum(answer == data["data"] for answer in await gatherResults(calls))

    limits = Limits(
        messages_per_second=1e6,
        message_burst=10**7,
        message_size=4_000_000,
        buffered=64 * 1024 * 1024,
        calls=20_000,
        channels=20_000,
        connections_per_address=20_000,
        peers_per_address=20_000,
        tokens_per_second=10_000.0,
        token_burst=100_000,
    )

    def wait(data: Any, peer: Any) -> Deferred[Any]:
        return Deferred()

    actions = {"echo": lambda data, peer: data, "burst": burst, "ask": ask, "wait": wait}
    server = TokenSocketServer(
        lambda request: True, actions=actions, limits=limits, store=store(), reactor=reactor
    )
    server.startService()
    endpoint = serverFromString(reactor, f"{tcp_or_tls()}:interface={HOST}")
    port: int = (await endpoint.listen(server.site())).getHost().port
    return port


def store() -> Any:
    """Of our server, or ``None`` for its memory."""
    from txtokensock.server import RedisStore

    port = os.environ.get("REDIS_PORT")
    return RedisStore(f"redis://{HOST}:{port}", namespace="bench") if port else None


def tcp_or_tls() -> str:
    """The beginning of an endpoint's description, for any port."""
    file = os.environ.get("CERTIFICATE")
    key = file and file.removesuffix("pem") + "key"
    return f"ssl:0:certKey={file}:privateKey={key}" if file else "tcp:0"


async def stdin_end() -> None:
    """Wait until the parent has nothing to say any more."""
    from twisted.internet.defer import Deferred
    from twisted.internet.protocol import Protocol as TwistedProtocol
    from twisted.internet.stdio import StandardIO

    over: Deferred[None] = Deferred()

    class Nothing(TwistedProtocol):
        def connectionLost(self, reason: Any = None) -> None:
            over.callback(None)

    StandardIO(Nothing())
    await over


def autobahn(port: str, transport: str) -> None:
    from collections import deque

    from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
    from twisted.internet.defer import Deferred
    from twisted.internet.endpoints import clientFromString

    class Caller(WebSocketClientProtocol):
        def onConnect(self, response: Any) -> None:
            self.waiting: deque[Deferred[bytes]] = deque()

        def call(self, payload: bytes) -> Deferred[bytes]:
            self.sendMessage(payload)
            answer: Deferred[bytes] = Deferred()
            self.waiting.append(answer)
            return answer

        def onMessage(self, payload: bytes, isBinary: bool) -> None:
            self.waiting.popleft().callback(payload)

    async def connect(reactor: Any) -> Client:
        factory = WebSocketClientFactory(f"ws://{HOST}:{port}", reactor=reactor)
        factory.protocol = Caller
        caller = await clientFromString(reactor, f"tcp:{HOST}:{port}").connect(factory)
        await caller.is_open
        return AutobahnEcho(caller)

    run_twisted(connect)


def autobahn_server() -> None:
    from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
    from twisted.internet.endpoints import TCP4ServerEndpoint
    from twisted.internet.task import react

    class Echo(WebSocketServerProtocol):
        def onMessage(self, payload: bytes, isBinary: bool) -> None:
            self.sendMessage(payload, isBinary)

    async def main(reactor: Any) -> None:
        factory = WebSocketServerFactory(reactor=reactor)
        factory.protocol = Echo
        port = await TCP4ServerEndpoint(reactor, 0, interface=HOST).listen(factory)
        say(port=port.getHost().port)
        await stdin_end()

    react(main)


def tcp(port: str, transport: str) -> None:
    from collections import deque

    from twisted.internet.defer import Deferred
    from twisted.internet.endpoints import clientFromString
    from twisted.internet.protocol import Factory
    from twisted.protocols.basic import LineReceiver

    class Caller(LineReceiver):
        delimiter = b"\n"
        MAX_LENGTH = 1 << 24

        def connectionMade(self) -> None:
            self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]
            self.waiting: deque[Deferred[bytes]] = deque()

        def call(self, payload: bytes) -> Deferred[bytes]:
            self.sendLine(payload)
            answer: Deferred[bytes] = Deferred()
            self.waiting.append(answer)
            return answer

        def lineReceived(self, line: bytes) -> None:
            self.waiting.popleft().callback(line)

    async def connect(reactor: Any) -> Client:
        factory = Factory.forProtocol(Caller)
        endpoint = clientFromString(reactor, f"tcp:{HOST}:{port}")
        return AutobahnEcho(await endpoint.connect(factory))

    run_twisted(connect)


def tcp_server() -> None:
    from twisted.internet.endpoints import TCP4ServerEndpoint
    from twisted.internet.protocol import Factory
    from twisted.internet.task import react
    from twisted.protocols.wire import Echo

    async def main(reactor: Any) -> None:
        endpoint = TCP4ServerEndpoint(reactor, 0, interface=HOST)
        port = await endpoint.listen(Factory.forProtocol(Echo))
        say(port=port.getHost().port)
        await stdin_end()

    react(main)


# -- on asyncio


async def asyncio_works(client: Client) -> None:
    """Obey the works from stdin."""
    say(ready=True)
    spread = Spread(client, asyncio.gather)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        say(**await spread.do(json.loads(line)))


def websockets(port: str, transport: str) -> None:
    from collections import deque

    from websockets.asyncio.client import connect

    class Echo:
        def __init__(self, connection: Any) -> None:
            self._connection = connection
            self._waiting: deque[asyncio.Future[str]] = deque()
            self._reading = asyncio.ensure_future(self._read())

        async def _read(self) -> None:
            async for message in self._connection:
                self._waiting.popleft().set_result(message)

        async def call(self, data: str) -> str:
            answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._waiting.append(answer)
            await self._connection.send(data)
            return await answer

        async def burst(self, count: int, data: str, on_message: Callable[[Any], None]) -> None:
            raise NotImplementedError("an echo server publishes nothing")

    async def main() -> None:
        url = f"ws://{HOST}:{port}"
        async with connect(url, compression=None, max_size=None) as connection:
            await asyncio_works(Echo(connection))

    asyncio.run(main())


def websockets_server() -> None:
    from websockets.asyncio.server import serve

    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        async with serve(echo, HOST, 0, compression=None, max_size=None) as server:
            say(port=next(iter(server.sockets)).getsockname()[1])
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(main())


def socketio(port: str, transport: str) -> None:
    import socketio as library

    class SocketIO:
        def __init__(self, client: Any) -> None:
            self._client = client

        async def call(self, data: str) -> str:
            answer: str = await self._client.call("echo", data)
            return answer

        async def burst(self, count: int, data: str, on_message: Callable[[Any], None]) -> None:
            all_there = asyncio.get_running_loop().create_future()
            missing = count

            def heard(message: Any) -> None:
                nonlocal missing
                on_message(message)
                missing -= 1
                if not missing:
                    all_there.set_result(None)

            self._client.on("message", heard)
            await self._client.call("burst", {"count": count, "data": data}, timeout=600)
            await all_there

    async def main() -> None:
        client = library.AsyncClient()
        await client.connect(f"http://{HOST}:{port}", transports=[transport])
        await asyncio_works(SocketIO(client))
        await client.disconnect()

    asyncio.run(main())


def socketio_server() -> None:
    import socketio as library
    from aiohttp import web

    async def main() -> None:
        server = library.AsyncServer(async_mode="aiohttp", max_http_buffer_size=10**8)
        app = web.Application()
        server.attach(app)

        @server.event  # type: ignore[misc]
        async def echo(sid: str, data: Any) -> Any:
            return data

        @server.event  # type: ignore[misc]
        async def burst(sid: str, data: Any) -> Any:
            for _ in range(data["count"]):
                await server.emit("message", data["data"], to=sid)
            return data["count"]

        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        say(port=runner.addresses[0][1])
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(main())


def main() -> None:
    """Be the contestant of that name; GC_THRESHOLD is of the search for garbage, if it is set."""
    gc.set_threshold(int(os.environ.get("GC_THRESHOLD", gc.get_threshold()[0])))
    if os.environ.get("REACTOR") == "asyncio":
        from twisted.internet import asyncioreactor

        asyncioreactor.install()
    name, *arguments = sys.argv[1:]
    if name.startswith(("bridge", "crossbar")):
        bridge(name)
    else:
        globals()[name](*arguments)


if __name__ == "__main__":
    main()
