"""
A protocol of Twisted's own over SockJS, both ends::

    python examples/echo_over_sockjs.py serve
    python examples/echo_over_sockjs.py send hello world

The second command, in another terminal, prints what comes back.  Neither end knows that
there is SockJS in between.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import react
from twisted.protocols.wire import Echo
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Site

from txtokensock.sockjs import SockJSClientEndpoint, SockJSResource

ENDPOINT = "tcp:8083:interface=127.0.0.1"
URL = "http://127.0.0.1:8083/echo"


class Sender(Protocol):
    """Sends messages, and prints what comes until each had its answer."""

    transport: Any  # an interface of zope's, of which checkers read nothing

    def __init__(self, messages: list[str]) -> None:
        self._messages = messages
        self._left = len(messages)
        self.closed: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        for message in self._messages:
            self.transport.write(message.encode())

    def dataReceived(self, data: bytes) -> None:
        print(data.decode())
        self._left -= 1
        if not self._left:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        print(reason.getErrorMessage())
        self.closed.callback(None)


async def serve(reactor: Any, endpoint: str = ENDPOINT) -> None:
    """Serve until the process ends."""
    root: Any = Resource()  # putChild() asks for an interface
    root.putChild(b"echo", SockJSResource(Factory.forProtocol(Echo), reactor=reactor))
    site = Site(root, parsePOSTFormSubmission=False)
    port = await serverFromString(reactor, endpoint).listen(site)
    print(f"listening on {port.getHost().host}:{port.getHost().port}")
    await Deferred()


async def send(reactor: Any, *words: str) -> None:
    """Send each word as a message; a first word with ``://`` is the server's URL."""
    url, words = (words[0], words[1:]) if "://" in words[0] else (URL, words)
    endpoint = SockJSClientEndpoint(reactor, url)
    sender = Sender(list(words))
    await endpoint.connect(Factory.forProtocol(lambda: sender))
    await sender.closed


async def main(reactor: Any, command: str, *arguments: str) -> None:
    """One end."""
    if command == "serve":
        await serve(reactor, *arguments)
    else:
        await send(reactor, *arguments)


if __name__ == "__main__":
    if sys.argv[1:2] not in (["serve"], ["send"]) or sys.argv[1:] == ["send"]:
        sys.exit("usage: echo_over_sockjs.py serve [endpoint] | send [url] word...")
    react(main, sys.argv[1:])
