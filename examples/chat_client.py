"""
A chat on the terminal.  Start a server, and then a client for each person::

    twistd -n tokensock
    python examples/chat_client.py ada
    python examples/chat_client.py grace

What one of them types is printed by both.  Ctrl-D ends a client; stop the server and
start it again, and the clients go on.  A second argument names another server.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from txtokensock import TokenSocket, TokenSocketError


class Keyboard(LineReceiver):
    """Publishes each line that is typed."""

    delimiter = b"\n"

    def __init__(self, socket: TokenSocket, name: str) -> None:
        self._socket = socket
        self._name = name
        self.closed: Deferred[None] = Deferred()

    def lineReceived(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        sent = self._socket.publish("chat", {"from": self._name, "text": text})
        sent.addErrback(self._not_sent)

    def _not_sent(self, failure: Failure) -> None:
        failure.trap(TokenSocketError)
        print(f"-- not sent: {failure.value}")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed.callback(None)


def show(message: Any) -> None:
    """Print a message of the chat."""
    print(f"{message['from']}: {message['text']}")


def report(error: Exception | None) -> None:
    """Print how an attempt to connect ended."""
    print("-- connected" if error is None else f"-- {error}; trying again")


async def main(reactor: Any, name: str, host: str = "127.0.0.1:8080") -> None:
    """Chat until the end of the input."""
    socket = TokenSocket(host, authentication={"user": name}, reactor=reactor)
    socket.on("ready", report)
    socket.on("reconnect", report)
    socket.on("disconnect", lambda error: print(f"-- disconnected: {error}"))
    socket.startService()
    await socket.when_ready()
    await socket.subscribe("chat", show)
    print("-- you are in the chat")
    keyboard: Any = Keyboard(socket, name)  # StandardIO asks for an interface
    StandardIO(keyboard, reactor=reactor)
    await keyboard.closed
    socket.remove_all_listeners()
    await socket.end()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: chat_client.py name [host]")
    react(main, sys.argv[1:])
