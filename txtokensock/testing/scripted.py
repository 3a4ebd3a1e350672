"""
A token-sockjs server that does what a test tells it to, step by step.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from ..client.socket import TokenSocket
from .host import MemoryHost
from .network import Accept, MemoryTransport
from .scripted_session import ScriptedSession

__all__ = ["ScriptedServer", "ScriptedTokenRequest", "Step"]

Step: TypeAlias = (
    Literal["accept", "refuse", "ignore", "drop", "hang up", "garbage"] | Callable[[Any], object]
)
"""
What the server does in one phase:

``"accept"``
    what a well-behaved server does;
``"refuse"``
    a regular no: the connection refused, 403, ``c[3000,...]``, "Token not found";
``"ignore"``
    nothing at all;
``"drop"``
    reset the connection;
``"hang up"``
    close it without a word;
``"garbage"``
    an answer that makes no sense;
a function
    anything: it gets the :class:`ScriptedTokenRequest` or the
    :class:`~.session.ScriptedSession`.
"""

STEPS = ("token_connect", "token", "connect", "handshake", "open", "auth", "close")


class ScriptedServer(MemoryHost):
    """
    A server in memory for tests of clients::

        server = ScriptedServer()
        server.script(auth="refuse")
        socket = server.client(authentication={"user": "ada"})
        socket.startService()
        server.settle()
        assert server.tokens[0].query == "user=ada"

    Each attribute named after a phase says what is done there from now on:
    ``token_connect`` (TCP to the token route), ``token``, ``connect`` (TCP to the
    socket), ``handshake``, ``open`` (the ``o`` frame), ``auth``, ``close`` (the answer to
    a WebSocket close).  After that, nothing happens by itself, unless ``respond`` is set.

    :param clock: the time; a new one by default.
    :ivar tokens: the token requests so far.
    :ivar sessions: the SockJS sessions so far, from their handshake on.
    :ivar attempts: how many TCP connections for a socket were asked for.
    :ivar acks: whether ``auth`` is answered with the hint that everything is
        acknowledged.
    :ivar respond: called with a session and every message that it receives after
        ``auth``, or None.
    """

    token_connect: Step = "accept"
    token: Step = "accept"
    connect: Step = "accept"
    handshake: Step = "accept"
    open: Step = "accept"
    auth: Step = "accept"
    close: Step = "accept"

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(_Factory(self), clock)
        self.tokens: list[ScriptedTokenRequest] = []
        self.sessions: list[ScriptedSession] = []
        self.attempts = 0
        self.acks = False
        self.respond: Callable[[ScriptedSession, Any], object] | None = None
        self._valid_tokens: set[str] = set()

    def script(self, **steps: Step) -> None:
        """Set what is done in each of the phases named, and "accept" in all others."""
        unknown = set(steps) - set(STEPS)
        if unknown:
            raise ValueError(f"there is no phase {unknown}: there are {STEPS}")
        for phase in STEPS:
            setattr(self, phase, steps.get(phase, "accept"))

    def client(self, **options: Any) -> TokenSocket:
        """
        A client of this server, not yet started, on WebSockets: a scripted server speaks
        nothing else.
        """
        options.setdefault("transports", ("websocket",))
        return super().client(**options)

    @property
    def session(self) -> ScriptedSession:
        """The newest session."""
        return self.sessions[-1]

    @property
    def open_sessions(self) -> list[ScriptedSession]:
        """The sessions whose connection has not ended."""
        return [session for session in self.sessions if session.open]

    def issue_token(self) -> str:
        """A new token, valid once."""
        token = f"{len(self.tokens):08x}-5ec2-4e70-8000-000000000000"
        self._valid_tokens.add(token)
        return token

    def spend_token(self, token: object) -> bool:
        """Whether ``token`` was valid; it is not any more."""
        valid = token in self._valid_tokens
        self._valid_tokens.discard(str(token))
        return valid

    def _accepts_socket(self) -> Accept:
        def accept() -> bool | None:
            self.attempts += 1
            return _ACCEPT[self.connect]

        return accept

    def _accepts_token_request(self) -> Accept:
        return lambda: _ACCEPT[self.token_connect]


_ACCEPT: dict[Any, bool | None] = {"accept": True, "refuse": False, "ignore": None}


class ScriptedTokenRequest:
    """
    One request to the token route.

    :ivar path: of the token route.
    :ivar query: as it came.
    :ivar headers: by lower-case names.
    """

    def __init__(
        self, server: ScriptedServer, transport: MemoryTransport, target: str, headers: Any
    ) -> None:
        url = urlsplit(target)
        self.path = url.path
        self.query = url.query
        self.target = target
        self.headers: dict[str, str] = headers
        self._server = server
        self._transport = transport

    def accept(self) -> None:
        """Answer with a token."""
        self.respond(200, {"token": self._server.issue_token()})

    def refuse(self) -> None:
        """403."""
        self.respond(403, {"error": "Forbidden"})

    def garbage(self) -> None:
        """What is no HTTP."""
        self.send_raw(b"\x00\xff no HTTP at all\r\n\r\n")
        self.hang_up()

    def ignore(self) -> None:
        """No answer."""

    def respond(
        self, status: int, body: Any = b"", kind: str = "application/json", *headers: str
    ) -> None:
        """
        A response.

        :param body: bytes, or what is sent as JSON.
        :param kind: its content type.
        :param headers: more lines.
        """
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(data)}", *headers]
        if kind:
            lines.append(f"Content-Type: {kind}")
        self.send_raw("\r\n".join([*lines, "", ""]).encode() + data)

    def send_raw(self, data: bytes) -> None:
        """Bytes of a response."""
        self._transport.write(data)

    def hang_up(self) -> None:
        """Close the connection, after what was sent."""
        self._transport.loseConnection()

    def drop(self) -> None:
        """Reset the connection."""
        self._transport.abortConnection()


@implementer(IProtocolFactory)
class _Factory:
    """Builds what reads requests."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server

    def buildProtocol(self, addr: IAddress | None) -> IProtocol:
        return _Connection(self._server)

    def doStart(self) -> None:
        """Nothing to do."""

    def doStop(self) -> None:
        """Nothing to do."""


class _Connection(Protocol):
    """One TCP connection: an HTTP request, and what follows."""

    transport: Any

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._head = b""
        self._session: ScriptedSession | None = None

    def dataReceived(self, data: bytes) -> None:
        if self._session is not None:
            self._session.bytes_received(data)
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._request(self._head.decode("latin-1").split("\r\n"))

    def _request(self, lines: list[str]) -> None:
        _, target, _ = lines[0].split(" ", 2)
        fields = (line.partition(":") for line in lines[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        if "upgrade" in headers:
            self._session = ScriptedSession(self._server, self.transport, target, headers)
            self._server.sessions.append(self._session)
            self._session.play("handshake")
        else:
            request = ScriptedTokenRequest(self._server, self.transport, target, headers)
            self._server.tokens.append(request)
            step = self._server.token
            if callable(step):
                step(request)
            else:
                getattr(request, step.replace(" ", "_"))()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._session is not None:
            self._session.connection_lost()
