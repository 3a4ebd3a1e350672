"""
Who reads ``/events``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ...client.socket import TokenSocket
from ...errors import UsageError
from ...messages import check_channel
from ..counters import Counters
from .api_keys import Caller
from .api_requests import bad_request
from .capacity import Slots
from .feeds import Feeds
from .responses import forbidden, unavailable
from .streams import Stream, event

__all__ = ["Readers"]

_MOST_CHANNELS = 64
"""Of one stream."""

_FIRST = b": connected\nretry: 1000\n\n"
"""A comment, and how many milliseconds a browser waits before it comes again."""


class Readers:
    """
    All event streams.

    :param counters: by rule: ``KEY/events``.
    :ivar slots: what each key has of them.
    :ivar feeds: what they read.
    :ivar room: bytes that may wait for one.
    """

    _log = Logger()

    def __init__(self, socket: TokenSocket, counters: Counters, reactor: IReactorTime) -> None:
        self._socket = socket
        self._counters = counters
        self._reactor = reactor
        self._callers: dict[Stream, str] = {}
        self.slots = Slots("event streams")
        self.feeds = Feeds(socket, reactor, self._dropped)
        self.room = 0

    async def read(self, request: Any, caller: Caller, begin: Callable[[], None]) -> None:
        """
        Read until the end, whoever makes it.

        :param begin: called once the server has agreed: the answer is 200.
        :raises Refusal: before that, for what cannot be.
        :raises TokenSocketError: before that, where the server does not agree.
        """
        channels = _channels(request, caller)
        with self.slots.one(caller.name, caller.streams):
            self._counters.count("http", f"{caller.name}/events", "in")
            if not self._socket.connected:
                raise unavailable("not connected to the server")
            stream = Stream(request, self.room, self._reactor)
            self._callers[stream] = caller.name
            try:
                await self.feeds.join(stream, channels)
                begin()
                request.setHeader("content-type", "text/event-stream")
                # nginx would keep events until it has enough of them.
                request.setHeader("x-accel-buffering", "no")
                self._counters.count("http", f"{caller.name}/events", "out")
                stream.start(_FIRST)
                await stream.ended
            finally:
                self.feeds.leave(stream)
                del self._callers[stream]

    def end_others(self, stays: Callable[[str], bool]) -> None:
        """End the streams of keys that have changed; their readers can come again."""
        for stream, name in list(self._callers.items()):
            if not stays(name):
                stream.finish(event("end", {"reason": "the key has changed"}))

    def _dropped(self, stream: Stream, count: int) -> None:
        rule = f"{self._callers[stream]}/events"
        self._counters.count("http", rule, "dropped", count)
        if stream.dropped == count:  # the first ones: more of them would say no more
            self._log.warn("{rule}: a reader is too slow", event="http.slow_reader", rule=rule)


def _channels(request: Any, caller: Caller) -> list[str]:
    """The channels that a reader wants, each once."""
    channels: dict[str, None] = {}
    for given in request.args.get(b"channel", []):
        try:
            channels[check_channel(given.decode("utf-8"))] = None
        except (UnicodeDecodeError, UsageError) as problem:
            raise bad_request(str(problem)) from None
    if not 0 < len(channels) <= _MOST_CHANNELS:
        raise bad_request(f"name 1 to {_MOST_CHANNELS} channels: /events?channel=...")
    for channel in channels:
        if channel not in caller.channels:
            raise forbidden(f"this key may not listen to {channel}")
    return list(channels)
