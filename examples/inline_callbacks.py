"""
The quick start in the style of ``inlineCallbacks``, against ``twistd -n tokensock``::

    python examples/inline_callbacks.py
"""

import sys
from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import react

from txtokensock import RemoteError, TokenSocket


@inlineCallbacks
def main(reactor: Any, host: str = "127.0.0.1:8080") -> Generator[Deferred[Any], Any, None]:
    socket = TokenSocket(host, authentication={"user": "ada"}, reactor=reactor)
    socket.startService()
    yield socket.when_ready(fail_after=1)

    answer = yield socket.rpc("echo", {"foo": "bar"})
    print(answer)
    try:
        yield socket.rpc("no.such.function")
    except RemoteError as error:
        print(error)

    heard: Deferred[Any] = Deferred()
    yield socket.subscribe("channel1", heard.callback)
    yield socket.publish("channel1", {"hello": "world"})
    message = yield heard
    print(message)
    yield socket.unsubscribe("channel1")
    yield socket.end()


if __name__ == "__main__":
    react(main, sys.argv[1:])
