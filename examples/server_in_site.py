"""
A token-sockjs server beside the other pages of a site::

    python examples/server_in_site.py

serves a page at http://127.0.0.1:8082/ and clients at the same address.  Then, in a
second terminal::

    tokensock --host 127.0.0.1:8082 --auth user=ada --auth password=lovelace rpc whoami
    tokensock --host 127.0.0.1:8082 --auth user=grace --auth password=hopper \\
        publish news '"hello"'

The first prints ``{"user":"ada","admin":true}``.  The second is refused, for only
administrators publish news.  An argument names another endpoint to listen on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from secrets import compare_digest
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Request
from twisted.web.static import Data

from txtokensock import ActionError
from txtokensock.server import Peer, TokenSocketServer, query

PASSWORDS = {"ada": "lovelace", "grace": "hopper"}
ADMINISTRATORS = {"ada"}


def authenticate(request: Request) -> Mapping[str, Any] | None:
    """Who asks for a token, or None: 403."""
    credentials = query(request)
    user, password = credentials.get("user"), credentials.get("password")
    if not isinstance(user, str) or not isinstance(password, str) or user not in PASSWORDS:
        return None
    if not compare_digest(password.encode(), PASSWORDS[user].encode()):
        return None
    return {"user": user, "admin": user in ADMINISTRATORS}


def whoami(data: Any, peer: Peer) -> Any:
    """What ``authenticate`` said of the caller."""
    return peer.auth


def divide(data: Any, peer: Peer) -> float:
    """An action that checks what it gets: it can be anything."""
    match data:
        case {"a": int() | float() as a, "b": int() | float() as b} if b:
            return a / b
    raise ActionError({"code": "bad-request", "message": "send numbers a and b, b not 0"})


def may_publish(peer: Peer, channel: str, data: Any) -> bool:
    """Only administrators publish news."""
    return channel != "news" or bool(peer.auth and peer.auth["admin"])


ACTIONS = {"whoami": whoami, "math": {"divide": divide}}


async def main(reactor: Any, endpoint: str = "tcp:8082:interface=127.0.0.1") -> None:
    """Serve until the reactor stops."""
    server = TokenSocketServer(authenticate, actions=ACTIONS, reactor=reactor)
    server.on("publish", may_publish)

    pages: Any = Resource()  # putChild() asks for an interface
    pages.putChild(b"", Data(b"<h1>A page of the site</h1>\n", "text/html"))

    server.startService()
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    port = await serverFromString(reactor, endpoint).listen(server.site(pages))
    print(f"listening on {port.getHost().host}:{port.getHost().port}")
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
