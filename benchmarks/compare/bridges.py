"""
HTTP in front of a router: our bridge with our server behind it, and Crossbar with a callee.

Both take the same bodies.  What a call or publish takes of the processor is that of all the
processes behind the port.

The other way, an event that a WAMP client publishes goes to those who speak no WAMP: by our
bridge to a channel of our server, which sends it over a WebSocket; by Crossbar's
``MessageForwarder`` in an HTTP request.  Works over HTTP, each over one connection:

``{"work": "post", "path": "/call" or "/publish", "size": BYTES, "seconds": S}``
    one request at a time.
"""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from autobahn.twisted.component import Component
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.interop.crossbar import REALM, Crossbar
from tests.interop.twistd import Bridge
from tests.kit.ports import ReservedPort
from txtokensock import TokenSocket

from .drivers import HOST, listening, obey, outcome, say, stdin_end

__all__ = [
    "bridge_server",
    "bridge_wamp_server",
    "crossbar_server",
    "crossbar_wamp_server",
    "publisher",
    "run",
]

_BRIDGE = """
[upstream]
host = "{host}:{upstream}"

[http]
listen = "tcp:{port}:interface={host}"
authentication = "none"
"""


async def bridge_server(reactor: Any) -> None:
    """``twistd tokensock bridge``, and a server in this process."""
    await _bridge_server(reactor, _BRIDGE)


async def _bridge_server(reactor: Any, config: str, router_port: str = "", **fields: str) -> None:
    with tempfile.TemporaryDirectory(prefix="txtokensock-bench-") as directory:
        upstream = await listening(reactor)
        bridge = Bridge(directory=Path(directory))
        text = config.format(host=HOST, upstream=upstream, port=bridge.port, **fields)
        (Path(directory) / "bridge.toml").write_text(text)
        try:
            await bridge.start()
            await bridge.until_ready()
            say(port=f"{router_port} channel {upstream}" if router_port else bridge.port)
            await stdin_end()
        finally:
            await bridge.close()


class WithHttp(Crossbar):
    """A node that has Crossbar's HTTP bridge as well."""

    def config(self) -> dict[str, Any]:
        config = super().config()
        realm = {"realm": REALM, "role": "anonymous"}
        config["workers"][0]["transports"][0]["web"] = {
            "paths": {
                "/": {"type": "json", "value": {}},
                "call": {"type": "caller", **realm},
                "publish": {"type": "publisher", **realm},
            }
        }
        return config


async def crossbar_server(reactor: Any) -> None:
    """A node, and the callee in this process."""
    node = WithHttp()
    try:
        await node.start()
        callee, registered = Component(transports=node.url, realm=REALM), Deferred[None]()

        @callee.on_join
        async def joined(session: Any, details: Any) -> None:
            await session.register(lambda data: data, "echo")
            registered.callback(None)

        callee.start(reactor)
        await registered
        say(port=node.port)
        await stdin_end()
    finally:
        await node.close()


# -- events of a WAMP topic, for those who speak no WAMP

_TOPIC = "com.bench"

_EVENTS = (
    _BRIDGE
    + """
[wamp]
url = "{router}"
realm = "{realm}"

[[wamp.channels]]
channel = "bench"
topic = "{topic}"
direction = "to-upstream"
"""
)


async def bridge_wamp_server(reactor: Any) -> None:
    """A router, our bridge, and our server in this process: an event goes to a channel of its."""
    node = Crossbar()
    await node.start()
    try:
        await _bridge_server(
            reactor, _EVENTS, str(node.port), router=node.url, realm=REALM, topic=_TOPIC
        )
    finally:
        await node.close()


async def crossbar_wamp_server(reactor: Any) -> None:
    """A router, and Crossbar's ``MessageForwarder``: it posts events to a port of the client's."""
    receiver = ReservedPort()
    subscription = {"url": f"http://{HOST}:{receiver.number}/", "topic": _TOPIC}
    forwarder = {
        "classname": "crossbar.bridge.rest.MessageForwarder",
        "extra": {"subscriptions": [subscription]},
    }
    node = Crossbar(forwarder)
    try:
        await node.start()
        say(port=f"{node.port} post {receiver.number}")
        await stdin_end()
    finally:
        await node.close()
        receiver.release()


class Publisher:
    """Publishes events, and waits for each where it arrives."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._waiting: dict[int, Deferred[str]] = {}
        self._numbers = itertools.count()

    def arrived(self, event: str) -> None:
        """One is where it was to go."""
        number, _, data = event.partition(" ")
        self._waiting.pop(int(number)).callback(data)

    async def call(self, data: str) -> str:
        number, arrives = next(self._numbers), Deferred[str]()
        self._waiting[number] = arrives
        self._session.publish(_TOPIC, f"{number} {data}")
        return await arrives

    async def burst(self, count: int, data: str, on_message: Callable[[Any], None]) -> None:
        raise NotImplementedError("a router publishes nothing by itself")


class Receiver(Resource):
    """Is posted events."""

    isLeaf = True

    def __init__(self, arrived: Callable[[str], None]) -> None:
        super().__init__()
        self._arrived = arrived

    def render_POST(self, request: Any) -> bytes:
        self._arrived(json.load(request.content)["args"][0])
        return b""


async def publisher(reactor: Any, ports: str) -> Publisher:
    """
    Join the router, and be there where the events arrive.

    :param ports: of the router; ``channel`` or ``post``; of our server, or our own.
    """
    router, how, port = ports.split()
    component = Component(transports=f"ws://{HOST}:{router}/ws", realm=REALM)
    joined: Deferred[Any] = Deferred()
    component.on_join(lambda session, details: joined.callback(session))
    component.start(reactor)
    result = Publisher(await joined)
    if how == "post":
        endpoint = TCP4ServerEndpoint(reactor, int(port), interface=HOST)
        await endpoint.listen(Site(Receiver(result.arrived)))
    else:
        socket = TokenSocket(HOST, port=int(port), reactor=reactor)
        socket.startService()
        await socket.subscribe("bench", result.arrived)
    return result


# -- requests over HTTP


def run(port: str) -> None:
    """Do the works that stdin asks for."""
    headers = {"Content-Type": "application/json"}

    def post(path: str, size: int, seconds: float) -> dict[str, Any]:
        data = "x" * size
        what = {"procedure": "echo"} if path == "/call" else {"topic": "bench"}
        body = json.dumps({**what, "args": [data]})
        latencies, wrong = [], 0
        # Of its own for each work: an idle one is closed while others have their turn.
        with closing(HTTPConnection(HOST, int(port))) as connection:
            connection.connect()
            begun = time.perf_counter()
            while (sent := time.perf_counter()) < begun + seconds:
                connection.request("POST", path, body, headers)
                answer = json.load(connection.getresponse())
                wrong += answer.get("args") != [data] if path == "/call" else "id" not in answer
                latencies.append(time.perf_counter() - sent)
            return outcome(begun, latencies, len(latencies), wrong)

    obey({"post": post})
