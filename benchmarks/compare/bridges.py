"""
HTTP in front of a router: our bridge with our server behind it, and Crossbar with a callee.

Both take the same bodies.  What a call or publish takes of the processor is that of all the
processes behind the port.  Works, each over one connection:

``{"work": "post", "path": "/call" or "/publish", "size": BYTES, "seconds": S}``
    one request at a time.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from autobahn.twisted.component import Component
from twisted.internet.defer import Deferred

from tests.interop.crossbar import REALM, Crossbar
from tests.interop.twistd import Bridge

from .drivers import HOST, listening, obey, outcome, say, stdin_end

__all__ = ["bridge_server", "crossbar_server", "run"]

_BRIDGE = """
[upstream]
host = "{host}:{upstream}"

[http]
listen = "tcp:{port}:interface={host}"
authentication = "none"
"""


async def bridge_server(reactor: Any) -> None:
    """``twistd tokensock bridge``, and a server in this process."""
    with tempfile.TemporaryDirectory(prefix="txtokensock-bench-") as directory:
        upstream = await listening(reactor)
        bridge = Bridge(directory=Path(directory))
        text = _BRIDGE.format(host=HOST, upstream=upstream, port=bridge.port)
        (Path(directory) / "bridge.toml").write_text(text)
        try:
            await bridge.start()
            await bridge.until_ready()
            say(port=bridge.port)
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
