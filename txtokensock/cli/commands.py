"""
The commands that talk to a server, on a client that is about to connect.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from ..client.socket import TokenSocket
from ..errors import RemoteError
from .bench import bench
from .inputs import paced
from .output import notice, place_in_docs, print_json

__all__ = ["bench", "broadcast", "listen", "publish", "report_connection", "rpc"]


async def rpc(
    socket: TokenSocket,
    reactor: Any,
    *,
    name: str,
    raw: bool = False,
    **source: Any,
) -> None:
    """
    Call a function with each value, one after the other, and print its answers.

    :param source: the values, see :func:`.inputs.paced`; so in all commands that send.
    """
    await socket.when_ready()
    async for value in paced(reactor, **source):
        print_json(await socket.rpc(name, value), raw=raw)


async def publish(socket: TokenSocket, reactor: Any, *, channel: str, **source: Any) -> None:
    """Send each value to a channel."""
    await _send(socket, paced(reactor, **source), lambda value: socket.publish(channel, value))


async def broadcast(socket: TokenSocket, reactor: Any, **source: Any) -> None:
    """Send each value to everybody."""
    await _send(socket, paced(reactor, **source), socket.broadcast)


async def _send(
    socket: TokenSocket, values: AsyncIterator[Any], send: Callable[[Any], Deferred[None]]
) -> None:
    """
    Send requests, and wait until a refusal would have come.  A server that acknowledges
    nothing answers only to refuse, and in order: its answer to a ping comes after that.
    """
    refusals: list[Exception] = []
    socket.on("error", refusals.append)
    await socket.when_ready()
    async for value in values:
        await send(value)
        if refusals:
            raise refusals[0]
    with suppress(RemoteError):  # "Function not found" is an answer as well
        await socket.rpc("_ping", {})
    if refusals:
        raise refusals[0]


async def listen(
    socket: TokenSocket,
    reactor: Any,
    *,
    channels: Sequence[str],
    count: int | None = None,
    timestamps: bool = False,
    raw: bool = False,
) -> None:
    """
    Print the messages of channels: so many, or until it is cancelled or one cannot be
    listened to.
    """
    ended = report_connection(socket)
    left = count

    def print_message(channel: str, message: Any) -> None:
        nonlocal left
        if ended.called:
            return
        try:
            _print_message(channel, message, timestamps, raw)
        except OSError as problem:
            ended.errback(problem)
            return
        if left is not None:
            left -= 1
            if left == 0:
                ended.callback(None)

    await socket.when_ready()
    for channel in dict.fromkeys(channels):
        await socket.subscribe(channel, partial(print_message, channel))
        notice(f"listening to {channel}")
    await ended


def report_connection(socket: TokenSocket) -> Deferred[None]:
    """
    Say what becomes of the connection.

    :return: fails with an error that no call has.
    """
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
    return failed


def _print_message(channel: str, message: Any, timestamps: bool, raw: bool) -> None:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    if raw:
        print_json(message, raw=True, before=f"{time} " if timestamps else "")
    else:
        stamp = {"time": time} if timestamps else {}
        print_json({**stamp, "channel": channel, "message": message})
