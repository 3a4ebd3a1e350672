"""
``/events``: channels to Server-Sent Events.

Each stream has subscriptions of its own; the socket makes one request of all subscriptions
to a channel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ...client.socket import TokenSocket
from ...client.subscription import Subscription
from ...errors import InvalidChannel, UsageError
from ...messages import check_channel
from ...web.server.answers import unbuffered
from ..counters import Counters
from ..error_table import ShareExceeded
from ..shares import Share
from .api_keys import Caller
from .api_requests import bad_request
from .responses import forbidden, unavailable
from .slots import Slots
from .streams import Stream, event

__all__ = ["EventStreams"]

_MOST_CHANNELS = 64
"""Of one stream."""

_FIRST = b": connected\nretry: 1000\n\n"
"""A comment, and how many milliseconds a browser waits before it comes again."""


class EventStreams:
    """
    Subscribes each reader to its channels, and keeps the streams alive.

    :param counters: by rule: ``KEY/events``.
    :ivar slots: what each key has of them.
    :ivar room: bytes that may wait for one.
    """

    _log = Logger()

    def __init__(self, socket: TokenSocket, counters: Counters, reactor: IReactorTime) -> None:
        self._socket = socket
        self._counters = counters
        self._reactor = reactor
        self._callers: dict[Stream, str] = {}
        self._encoded: tuple[str, Any, bytes] = ("", None, b"")
        self._timeout = 0.0
        self._beat = LoopingCall(self._heartbeat)
        self._beat.clock = reactor
        self.slots = Slots("event streams")
        self.room = 0

    def start(self, heartbeat: float, timeout: float) -> None:
        """
        Begin with heartbeats, or go on at another pace.

        :param heartbeat: seconds between two.
        :param timeout: seconds for which a reader may take nothing.
        """
        self._timeout = timeout
        if self._beat.running:
            if self._beat.interval == heartbeat:
                return
            self._beat.stop()
        else:
            self._socket.on("disconnect", self._disconnected)
            self._socket.on("reconnect", self._reconnected)
        self._beat.start(heartbeat, now=False).addErrback(
            lambda failure: self._log.failure("no more heartbeats", failure, event="http.failed")
        )

    def stop(self) -> None:
        """End every stream, and send no more heartbeats."""
        if self._beat.running:
            self._beat.stop()
            self._socket.remove_listener("disconnect", self._disconnected)
            self._socket.remove_listener("reconnect", self._reconnected)
        for stream in list(self._callers):
            stream.finish()

    async def read(
        self, request: Any, caller: Caller, share: Share, begin: Callable[[], None]
    ) -> None:
        """
        Read until the client or the bridge ends the stream.

        :param share: of the caller.
        :param begin: called once the server has agreed: the answer is 200.
        :raises Refusal: before that, if the request is not valid.
        :raises TokenSocketError: before that, if the server refuses.
        """
        channels = _channels(request, caller)
        with self.slots.one(caller.name, caller.streams):
            self._counters.count("http", f"{caller.name}/events", "in")
            if not self._socket.connected:
                raise unavailable("not connected to the server")
            limits = self._socket.limits
            if limits is not None:
                for channel in channels:
                    limits.check_channel(channel)
            stream = Stream(request, self.room, self._reactor)
            with share.listening(channels, partial(_give_way, stream)):
                self._callers[stream] = caller.name
                await self._read(stream, request, caller.name, channels, begin)

    async def _read(
        self,
        stream: Stream,
        request: Any,
        caller: str,
        channels: list[str],
        begin: Callable[[], None],
    ) -> None:
        ended: list[Exception] = []
        subscribing = [self._subscribe(stream, channel, ended) for channel in channels]
        try:
            try:
                await _all(subscribing)
            except InvalidChannel as problem:  # their names are good: one that ends is in the way
                raise ShareExceeded(str(problem)) from None
            if ended:  # the server ended one while it had not confirmed another
                raise ended[0]
            begin()
            request.setHeader("content-type", "text/event-stream")
            unbuffered(request)
            if request.method == b"HEAD":
                return  # nothing would come, and the connection would wait for its end
            self._counters.count("http", f"{caller}/events", "out")
            stream.start(_FIRST)
            await stream.ended
        finally:
            for subscribed in subscribing:
                subscribed.cancel()
                subscribed.addCallback(self._unsubscribe)
            del self._callers[stream]

    def end_others(self, stays: Callable[[str], bool]) -> None:
        """End the streams of keys that have changed; their readers can come again."""
        for stream, name in list(self._callers.items()):
            if not stays(name):
                stream.finish(event("end", {"reason": "the key has changed"}))

    # -- subscriptions

    def _subscribe(
        self, stream: Stream, channel: str, ended: list[Exception]
    ) -> Deferred[Subscription]:
        """:param ended: gets the reason where the server ends it before the stream begins."""

        def notice(subscription: Subscription, error: Exception | None) -> None:
            if error is None or subscription.active:
                return
            ended.append(error)
            if stream.started:
                stream.finish(event("end", {"channel": channel, "reason": str(error)}))

        handler = partial(self._deliver, stream, channel)
        return self._socket.subscribe(channel, handler, on_confirmation=notice)

    def _unsubscribe(self, subscription: Subscription | None) -> None:
        if subscription is None:
            return  # never confirmed
        # Where the server does not confirm it, the next connection does not have it.
        subscription.unsubscribe().addErrback(
            lambda failure: self._log.warn(
                "{channel} was not unsubscribed: {problem}",
                event="http.not_unsubscribed",
                channel=subscription.channel,
                problem=failure.getErrorMessage(),
            )
        )

    # -- what happens

    def _deliver(self, stream: Stream, channel: str, message: Any) -> None:
        # All streams of a channel get the same object, one after the other.
        last_channel, last_message, data = self._encoded
        if message is not last_message or channel != last_channel:
            data = event(None, {"channel": channel, "message": message})
            self._encoded = (channel, message, data)
        self._send(stream, data)

    def _send(self, stream: Stream, data: bytes) -> None:
        dropped = stream.send(data)
        if not dropped:
            return
        rule = f"{self._callers[stream]}/events"
        self._counters.count("http", rule, "dropped", dropped)
        if stream.dropped == dropped:  # the first ones: more of them would say no more
            self._log.warn("{rule}: a reader is too slow", event="http.slow_reader", rule=rule)

    def _disconnected(self, error: Exception) -> None:
        for stream in list(self._callers):
            self._send(stream, event("disconnect", {"reason": str(error)}))

    def _reconnected(self, error: Exception | None) -> None:
        if error is None:
            for stream in list(self._callers):
                self._send(stream, event("reconnect", {}))

    def _heartbeat(self) -> None:
        now = self._reactor.seconds()
        for stream in list(self._callers):
            if stream.paused_since is not None and now - stream.paused_since >= self._timeout:
                self._log.info("a reader takes nothing: dropped", event="http.reader_dropped")
                stream.abort()
            else:
                stream.beat()


def _give_way(stream: Stream) -> bool:
    if stream.started:
        stream.finish(event("end", {"reason": "others have less than their share of channels"}))
    return stream.started


async def _all(subscribing: list[Deferred[Subscription]]) -> None:
    """
    Wait for all of them.

    :raises Exception: what the first one failed with.
    """
    try:
        await gatherResults(subscribing, consumeErrors=True)
    except FirstError as first:
        cause: Any = first.subFailure.value
        raise cause from None


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
