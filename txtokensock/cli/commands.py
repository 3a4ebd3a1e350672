"""
The commands that talk to a server, on a client that is about to connect.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred

from ..client.socket import TokenSocket
from ..errors import RemoteError
from .output import place_in_docs, print_json, say

__all__ = ["COMMANDS", "Command"]

Command: TypeAlias = Callable[[TokenSocket, argparse.Namespace], Coroutine[Any, Any, None]]


async def _rpc(socket: TokenSocket, arguments: argparse.Namespace) -> None:
    await socket.when_ready()
    print_json(await socket.rpc(arguments.name, arguments.data))


async def _publish(socket: TokenSocket, arguments: argparse.Namespace) -> None:
    await _send(socket, lambda: socket.publish(arguments.channel, arguments.data))


async def _broadcast(socket: TokenSocket, arguments: argparse.Namespace) -> None:
    await _send(socket, lambda: socket.broadcast(arguments.data))


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


async def _listen(socket: TokenSocket, arguments: argparse.Namespace) -> None:
    failed: Deferred[None] = Deferred()

    def fail(error: Exception) -> None:
        if not failed.called:
            failed.errback(error)

    def came_back(error: Exception | None) -> None:
        wait = getattr(error, "retry_in", None)
        again = "" if wait is None else f"; trying again in {wait:.3g} s"
        say("connected" if error is None else f"{error}{again}{place_in_docs(error)}")

    def went(error: Exception) -> None:
        say(f"disconnected: {error}; connecting again{place_in_docs(error)}")

    socket.on("ready", came_back)
    socket.on("reconnect", came_back)
    socket.on("disconnect", went)
    socket.on("error", fail)
    await socket.when_ready()
    for channel in dict.fromkeys(arguments.channels):

        def print_message(message: Any, channel: str = channel) -> None:
            try:
                print_json({"channel": channel, "message": message})
            except OSError as problem:
                fail(problem)

        await socket.subscribe(channel, print_message)
        say(f"listening to {channel}")
    await failed


COMMANDS: dict[str, Command] = {
    "rpc": _rpc,
    "publish": _publish,
    "broadcast": _broadcast,
    "listen": _listen,
}
"""The commands, by their names on the command line."""
