"""
A token-sockjs server that does what a test tells it to, step by step.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ..client.socket import TokenSocket
from .network import MemoryTransport
from .script import Script
from .scripted_session import ScriptedSession

__all__ = ["ScriptedServer", "ScriptedTokenRequest"]


class ScriptedServer(Script):
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
    :ivar limits: the limits that are announced there, such as ``{"message_size": 65536}``, or
        None.
    :ivar respond: called with a session and every message that it receives after
        ``auth``, or None.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        protocol: Any = partial(_Connection, self)
        super().__init__(Factory.forProtocol(protocol), clock)
        self.tokens: list[ScriptedTokenRequest] = []
        self.sessions: list[ScriptedSession] = []
        self.attempts = 0

    def client(self, **options: Any) -> TokenSocket:
        """
        A client of this server, not yet started, on WebSockets: a scripted server speaks
        nothing else.
        """
        options.setdefault("transports", ("websocket",))
        return super().client(**options)

    def finish(self) -> None:
        """
        End every client that was made here, as a well-behaved server does.

        :raises AssertionError: if a connection or a timer is left.
        """
        self.script()
        for session in self.sessions:
            session.read_again()
        super().finish()

    @property
    def session(self) -> ScriptedSession:
        """The session that began last."""
        return self.sessions[-1]

    @property
    def open_sessions(self) -> list[ScriptedSession]:
        """The sessions whose connection has not ended."""
        return [session for session in self.sessions if session.open]

    def _accepts_socket(self) -> bool | None:
        self.attempts += 1
        return _ACCEPT[self.connect]

    def _accepts_token_request(self) -> bool | None:
        return _ACCEPT[self.token_connect]


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
        """Answer with 403 Forbidden."""
        self.respond(403, {"error": "Forbidden"})

    def garbage(self) -> None:
        """Send what is not HTTP, and close the connection."""
        self.send_raw(b"\x00\xff no HTTP at all\r\n\r\n")
        self.hang_up()

    def ignore(self) -> None:
        """Do not answer the request."""

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
        """Send bytes of a response."""
        self._transport.write(data)

    def hang_up(self) -> None:
        """Close the connection, after what was sent."""
        self._transport.loseConnection()

    def drop(self) -> None:
        """Reset the TCP connection."""
        self._transport.abortConnection()


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
