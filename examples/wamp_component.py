"""
A WAMP component that knows nothing of token-sockjs, on the other side of a bridge:

    python examples/wamp_component.py
"""

import sys
from collections.abc import Generator
from typing import Any

from autobahn.twisted.component import Component, run
from twisted.internet.defer import Deferred, inlineCallbacks

url = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8081/ws"
component = Component(transports=url, realm="realm1")


def heard(message: Any) -> None:
    print("news:", message, flush=True)


@inlineCallbacks
def joined(session: Any, details: Any) -> Generator[Deferred[Any], Any, None]:
    yield session.subscribe(heard, "com.example.news")
    yield session.register(lambda data: f"noted: {data}", "com.example.notify")
    answer = yield session.call("com.example.rpc.echo", {"hello": "server"})
    print("the server says", answer, flush=True)
    yield session.publish("com.example.news", "the component is here")


component.on_join(joined)

if __name__ == "__main__":
    no_logging: Any = None  # the docstring of run() takes it, its annotation does not
    run([component], log_level=no_logging)
