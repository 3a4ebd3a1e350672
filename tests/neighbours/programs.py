"""What the server under attack serves."""

from __future__ import annotations

from typing import Any

from txtokensock.server import Peer


def echo(data: Any, peer: Peer) -> Any:
    """:return: what was sent."""
    return data


async def ask(data: Any, peer: Peer) -> Any:
    """:return: what the client answers, if it does."""
    return await peer.rpc("answer", data)


ACTIONS = {"echo": echo, "ask": ask}
