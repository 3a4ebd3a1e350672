"""What the server under attack serves."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from txtokensock.errors import TokenSocketError
from txtokensock.server import Peer


def echo(data: Any, peer: Peer) -> Any:
    """:return: what was sent."""
    return data


async def ask(data: Any, peer: Peer) -> Any:
    """:return: what the client answers, if it does."""
    try:
        return await peer.rpc("answer", data)
    except TokenSocketError as problem:
        return str(problem)


def wait(data: Any, peer: Peer) -> Deferred[Any]:
    """:return: never fires."""
    return Deferred()


ACTIONS = {"echo": echo, "ask": ask, "wait": wait}
