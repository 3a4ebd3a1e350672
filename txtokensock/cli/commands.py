"""
The commands that talk to a server, on a client that is about to connect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred

from ..client.socket import TokenSocket
from ..errors import RemoteError
from .output import notice, place_in_docs, print_json

__all__ = ["broadcast", "listen", "publish", "rpc"]


async def rpc(socket: TokenSocket, name: str, data: Any) -> None:
    """Call a function, and print its answer."""
    await socket.when_ready()
    print_json(await socket.rpc(name, data))


async def publish(socket: TokenSocket, channel: str, data: Any) -> None:
    """Send a message to a channel."""
    await _send(socket, lambda: socket.publish(channel, data))


async def broadcast(socket: TokenSocket, data: Any) -> None:
    """Send a message to everybody."""
    await _send(socket, lambda: socket.broadcast(data))


async def _send(socket: TokenSocket, send: Callable[[], Deferred[None]]) -> None:
    """
    Send a request, and wait until a refusal would have come.  A server that acknowledges
    nothing answers only to refuse, and in order: its answer to a ping comes after that.
    """
    refusals: list[Exception] = []
    socket.on("error", refusals.append)
    await socket.when_ready()
    await send()
    with suppress(RemoteError):  # "Function not found" is an answer as well
        await socket.rpc("_ping", {})
    if refusals:
        raise refusals[0]


async def listen(socket: TokenSocket, channels: Sequence[str]) -> None:
    """Print the messages of channels, until it is cancelled or one cannot be listened to."""
    failed: Deferred[None] = Deferred()

    def fail(error: Exception) -> None:
        if not failed.called:
            failed.errback(error)

    def came_back(error: Exception | None) -> None:
        wait = getattr(error, "retry_in", None)
        again = "" if wait is None else f"; trying again in {wait:.3g} s"
        notice("connected" if error is None else f"{error}{again}{place_in_docs(error)}")

    def went(error: Exception) -> None:
        notice(f"disconnected: {error}; connecting again{place_in_docs(error)}")

    socket.on("ready", came_back)
    socket.on("reconnect", came_back)
    socket.on("disconnect", went)
    socket.on("error", fail)
    await socket.when_ready()
    for channel in dict.fromkeys(channels):

        def print_message(message: Any, channel: str = channel) -> None:
            try:
                print_json({"channel": channel, "message": message})
            except OSError as problem:
                fail(problem)

        await socket.subscribe(channel, print_message)
        notice(f"listening to {channel}")
    await failed
