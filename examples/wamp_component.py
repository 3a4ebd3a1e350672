"""
A WAMP component that knows nothing of token-sockjs, on the other side of a bridge:

    python examples/wamp_component.py
"""

import sys

from autobahn.twisted.component import Component, run
from twisted.internet.defer import inlineCallbacks

url = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8081/ws"
component = Component(transports=url, realm="realm1")


def heard(message):
    print("news:", message, flush=True)


@component.on_join
@inlineCallbacks
def joined(session, details):
    yield session.subscribe(heard, "com.example.news")
    yield session.register(lambda data: f"noted: {data}", "com.example.notify")
    answer = yield session.call("com.example.rpc.echo", {"hello": "server"})
    print("the server says", answer, flush=True)
    yield session.publish("com.example.news", "the component is here")


if __name__ == "__main__":
    run([component], log_level=None)
