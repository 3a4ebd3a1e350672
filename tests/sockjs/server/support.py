"""
A SockJS server in memory: a real twisted.web site on a Clock.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.kit.http import Response
from tests.kit.site_client import Connection
from tests.kit.websocket import UPGRADE, WebSocketClient
from txtokensock.sockjs.server.resource import SockJSResource

__all__ = [
    "Closer",
    "Connection",
    "Echo",
    "Recorder",
    "Recorders",
    "Response",
    "Server",
    "WebSocketClient",
]


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


class Server:
    """
    A site with a SockJS resource at ``/echo``.

    :param protocol: what it serves.
    :param parse_forms: whether the site does what twisted.web does by default.
    :param options: the resource's.
    """

    def __init__(
        self, protocol: type[Recorder] = Echo, *, parse_forms: bool = False, **options: Any
    ) -> None:
        self.clock = Clock()
        self.factory = options.pop("factory", None) or Recorders(protocol)
        self.resource = SockJSResource(self.factory, reactor=self.clock, **options)
        root = Resource()
        root.putChild(b"echo", self.resource)
        self.site = Site(
            root, reactor=self.clock, timeout=None, parsePOSTFormSubmission=parse_forms
        )

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
        self, path: str = "/000/abc/websocket", peer: str = "10.0.0.1", **headers: str | None
    ) -> Connection:
        """A new client that asked for a WebSocket; a header that is None is left out."""
        wanted: dict[str, str | None] = dict(UPGRADE)
        wanted.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection = self.connect(peer)
        sent = {name: value for name, value in wanted.items() if value is not None}
        connection.request("GET", "/echo" + path, sent)
        return connection

    def websocket(self, path: str = "/000/abc/websocket", peer: str = "10.0.0.1") -> Any:
        """A new client with an open WebSocket."""
        return WebSocketClient(self.upgrade(path, peer))
