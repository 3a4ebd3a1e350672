"""
The services that the test-suite of sockjs-protocol 0.3.3 asks for::

    python examples/sockjs_protocol_app.py [endpoint]

The endpoint is a Twisted server endpoint, by default where the suite looks:
``tcp:8081:interface=127.0.0.1``.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Site

from txtokensock.sockjs import SockJSResource


class Echo(Protocol):
    """Sends back what it gets."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class Closing(Protocol):
    """Closes at once."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.close(3000, "Go away!")


def services(reactor: Any) -> Any:
    """The site's root."""
    echo = Factory.forProtocol(Echo)
    root: Any = Resource()  # putChild() asks for an interface
    root.putChild(b"echo", SockJSResource(echo, reactor=reactor, response_limit=4096))
    root.putChild(
        b"disabled_websocket_echo",
        SockJSResource(echo, reactor=reactor, response_limit=4096, websocket=False),
    )
    root.putChild(
        b"cookie_needed_echo",
        SockJSResource(echo, reactor=reactor, response_limit=4096, cookie_needed=True),
    )
    root.putChild(b"close", SockJSResource(Factory.forProtocol(Closing), reactor=reactor))
    return root


async def main(reactor: Any, endpoint: str = "tcp:8081:interface=127.0.0.1") -> None:
    """Serve until the process ends."""
    site = Site(services(reactor), parsePOSTFormSubmission=False)
    port = await serverFromString(reactor, endpoint).listen(site)
    print(f"listening on {port.getHost().host}:{port.getHost().port}")
    await Deferred()


if __name__ == "__main__":
    react(lambda *arguments: Deferred.fromCoroutine(main(*arguments)), sys.argv[1:])
