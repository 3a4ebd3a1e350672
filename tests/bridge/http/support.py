"""
What the tests of HTTP in share: a scripted server upstream, and HTTP clients, in memory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import treq
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from tests.common import ServerTestCase
from txtokensock import TokenSocket
from txtokensock.bridge.config.http import HttpConfig, KeyConfig
from txtokensock.bridge.counters import Counters
from txtokensock.bridge.health import SideState
from txtokensock.bridge.http import HttpSide
from txtokensock.bridge.shares import Shares
from txtokensock.config.section import Secret
from txtokensock.testing import MemoryNetwork, ScriptedServer

URL = "http://127.0.0.1:8090"
NOW = 1_700_000_000.0
"""What time it is when a test begins, in seconds since the epoch."""


@implementer(IBodyProducer)
class Body:
    """Bytes, without the global reactor that treq's own producer stands on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        """All of them at once."""
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Too late."""

    def resumeProducing(self) -> None:
        """Nothing is left."""

    def stopProducing(self) -> None:
        """It has."""


class StringOf(Protocol):
    """Keeps what comes."""

    transport: Any
    received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data


class Reply:
    """The answer to a request."""

    def __init__(self, status: int, headers: dict[str, str], text: bytes) -> None:
        self.status = status
        self.headers = headers
        self.text = text

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.text)

    @property
    def error(self) -> tuple[int, str, Any]:
        """Status, URI and the first argument, of an error."""
        args = self.json["args"]
        return self.status, self.json["error"], args[0] if args else None


class Reading:
    """
    An event stream that is being read.

    :ivar status: None until there are headers.
    :ivar text: so far.
    :ivar over: whether it has ended.
    """

    def __init__(self, client: HTTPClient, url: str, headers: dict[str, str]) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.text = b""
        self.over = False
        self.request = client.get(url, headers=headers, unbuffered=True)
        self.request.addCallback(self._begin).addErrback(lambda _: self._end())

    def _begin(self, response: Any) -> None:
        self.status, self.headers = response.code, _headers(response)
        treq.collect(response, self._more).addBoth(lambda _: self._end())

    def _more(self, data: bytes) -> None:
        self.text += data

    def _end(self) -> None:
        self.over = True

    @property
    def events(self) -> list[tuple[str, Any]]:
        """The events so far: type and data."""
        found = []
        for block in self.text.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "data" in fields:
                found.append((fields.get("event", "message"), json.loads(fields["data"])))
        return found

    @property
    def heartbeats(self) -> int:
        """How many came."""
        return self.text.count(b": heartbeat\n\n")


class HttpTestCase(ServerTestCase):
    """
    With a side, its server connected, unless a test takes another way.

    :ivar upstream: the socket.
    :ivar side: what is tested.
    """

    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-http-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.reactor = MemoryReactorClock()
        self.reactor.rightNow = NOW
        self.server = ScriptedServer(self.reactor)
        self.server.respond = self.respond
        self.counters = Counters()
        self.requests: list[Any] = []
        self.answers: dict[str, Any] = {}
        self.others: list[SideState] = []
        self.stop_timeout = 10.0
        self.environment: dict[str, str] = {}
        self.patch(os, "environ", self.environment)

    def respond(self, session: Any, message: Any) -> None:
        """What the server does: what ``answers`` says of a name, else nothing."""
        self.requests.append(message)
        name = message.get("rpc")
        if name == "_subscribe" and name not in self.answers:
            session.subscribed(message["req"]["channel"])
        elif name == "_unsubscribe":
            session.unsubscribed(message["req"]["channel"])
        elif name in self.answers:
            answer = self.answers[name]
            if isinstance(answer, Exception):
                session.refuse(message, answer.args[0])
            else:
                session.answer(message, answer)

    def key(self, name: str, secret: str, **more: Any) -> KeyConfig:
        """A key."""
        self.environment[f"KEY_{name}"] = secret
        more.setdefault("channels", ("*",))
        more.setdefault("procedures", ("*",))
        return KeyConfig(name=name, secret=Secret(env=f"KEY_{name}"), **more)

    def serve(self, *keys: KeyConfig, connected: bool = True, **options: Any) -> HttpSide:
        """The side, started."""
        options.setdefault("signed_requests", str(self.directory / "signed-requests"))
        options.setdefault("authentication", "keys" if keys else "none")
        self.upstream: TokenSocket = self.client(call_timeout=20.0)
        self.side = HttpSide(
            HttpConfig(keys=keys, **options),
            socket=self.upstream,
            shares=Shares(lambda: self.upstream.limits, self.reactor.seconds),
            counters=self.counters,
            reactor=self.reactor,
            states=lambda: [*self.others, self.side.state()],
            stop_timeout=lambda: self.stop_timeout,
        )
        self.side.privilegedStartService()
        self.side.startService()
        self.network = MemoryNetwork(self.reactor, self.side.site)
        self.http = HTTPClient(self.network.agent())
        self.addCleanup(self._stop)
        if connected:
            self.upstream.startService()
            self.settle()
            self.assertTrue(self.upstream.connected)
        return self.side

    def _stop(self) -> None:
        if self.side.running:
            stopped = self.side.stopService()
            self.advance(self.stop_timeout + 3)
            self.successResultOf(stopped)
        self.assertEqual(self.network.open, [])

    # -- requests

    def send(
        self,
        path: str,
        body: Any = None,
        method: str = "POST",
        headers: dict[str, str] | None = None,
        url: str = URL,
    ) -> Deferred[Reply]:
        """A request; bytes are sent as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        whole = {"content-type": "application/json", **(headers or {})}
        content = Body(data) if method == "POST" else None
        answer = self.http.request(method, url + path, data=content, headers=whole)

        async def read() -> Reply:
            response = await answer
            return Reply(response.code, _headers(response), await response.content())

        reading = Deferred.fromCoroutine(read())
        self.settle()
        return reading

    def ask(self, *arguments: Any, **options: Any) -> Reply:
        """The reply to a request that is answered at once."""
        reply: Reply = self.successResultOf(self.send(*arguments, **options))
        return reply

    def get(self, path: str, headers: dict[str, str] | None = None) -> Reply:
        """The reply to a GET."""
        return self.ask(path, method="GET", headers=headers)

    def raw(self, data: bytes, *, reading: bool = True) -> bytes:
        """What is answered to these bytes; all of it only to who reads."""
        protocol = StringOf()
        factory = Factory.forProtocol(lambda: protocol)
        connecting = self.network.endpoint().connect(factory)
        self.settle()
        self.successResultOf(connecting)
        if not reading:
            protocol.transport.pauseProducing()
        protocol.transport.write(data)
        self.settle()
        protocol.transport.abortConnection()
        self.settle()
        return protocol.received

    def read(self, path: str, headers: dict[str, str] | None = None) -> Reading:
        """An event stream."""
        reading = Reading(self.http, URL + path, headers or {})
        self.settle()
        return reading

    def count(self, rule: str, outcome: Any) -> int:
        """What was counted."""
        return self.counters.get("http", rule, outcome)

    def asked(self, name: str) -> list[Any]:
        """What the server was asked for, by that name."""
        return [request["req"] for request in self.requests if request.get("rpc") == name]

    def signed(
        self,
        path: str,
        body: bytes,
        key: str,
        secret: str,
        *,
        seq: int = 1,
        nonce: int = 4711,
        time: float | None = None,
        method: str = "POST",
        change: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> Deferred[Reply]:
        """A request signed as Crossbar's documentation says."""
        when = datetime.fromtimestamp(self.reactor.seconds() if time is None else time, UTC)
        timestamp = when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        parts = [key, timestamp, str(seq), str(nonce)]
        digest = hmac.new(secret.encode(), digestmod=hashlib.sha256)
        for part in parts:
            digest.update(part.encode())
        digest.update(body)
        query: dict[str, Any] = dict(
            zip(("key", "timestamp", "seq", "nonce"), parts, strict=True),
            signature=base64.urlsafe_b64encode(digest.digest()),
        )
        change(query)
        return self.send(f"{path}?{urlencode(query, doseq=True)}", body, method)


def _headers(response: Any) -> dict[str, str]:
    return {
        name.decode().lower(): values[-1].decode()
        for name, values in response.headers.getAllRawHeaders()
    }
