"""
Channels to event streams: one subscription upstream, however many read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...client.socket import TokenSocket
from ...client.subscription import Subscription
from ...errors import TokenSocketError
from ...support.waiters import Waiters
from .streams import Stream, event

__all__ = ["Feeds"]


class _Feed:
    """
    One channel.

    :ivar streams: who reads it.
    :ivar confirmed: whether the server has agreed.
    :ivar waiting: those who wait for that.
    """

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.streams: dict[Stream, None] = {}
        self.confirmed = False
        self.waiting: Waiters[None] = Waiters()
        self.asked: Deferred[Subscription] | None = None
        self.subscription: Subscription | None = None


class Feeds:
    """
    All channels that are read.

    :param socket: upstream.
    :param reactor: for heartbeats.
    :param dropped: called with a stream and how many events it could not take.
    """

    _log = Logger()

    def __init__(
        self,
        socket: TokenSocket,
        reactor: IReactorTime,
        dropped: Callable[[Stream, int], None],
    ) -> None:
        self._socket = socket
        self._reactor = reactor
        self._dropped = dropped
        self._feeds: dict[str, _Feed] = {}
        self._streams: dict[Stream, list[_Feed]] = {}
        self._timeout = 0.0
        self._beat = LoopingCall(self._heartbeat)
        self._beat.clock = reactor

    def start(self, heartbeat: float, timeout: float) -> None:
        """
        Begin with heartbeats, or go on with others.

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
            lambda failure: self._log.failure("no more heartbeats", failure)
        )

    def stop(self) -> None:
        """End every stream."""
        if self._beat.running:
            self._beat.stop()
            self._socket.remove_listener("disconnect", self._disconnected)
            self._socket.remove_listener("reconnect", self._reconnected)
        for stream in list(self._streams):
            stream.finish()

    def join(self, stream: Stream, channels: Iterable[str]) -> Deferred[None]:
        """
        Let a stream have the messages of channels.

        :return: fires when the server has agreed to all; fails as
            :meth:`TokenSocket.subscribe <txtokensock.TokenSocket.subscribe>` does.
            In any case, :meth:`leave` comes at the end.
        """
        feeds = self._streams[stream] = [self._feed(channel) for channel in channels]
        agreed = []
        for feed in feeds:
            feed.streams[stream] = None
            if not feed.confirmed:
                agreed.append(feed.waiting.wait())
        for feed in feeds:
            if feed.asked is None and feed.subscription is None:
                self._subscribe(feed)
        return _all(agreed)

    def leave(self, stream: Stream) -> None:
        """A stream is over; the last one of a channel unsubscribes from it."""
        for feed in self._streams.pop(stream, []):
            feed.streams.pop(stream, None)
            if not feed.streams and self._feeds.get(feed.channel) is feed:
                self._close(feed)

    # -- subscriptions

    def _feed(self, channel: str) -> _Feed:
        return self._feeds.setdefault(channel, _Feed(channel))

    def _subscribe(self, feed: _Feed) -> None:
        feed.asked = self._socket.subscribe(feed.channel)
        Deferred.fromCoroutine(self._run(feed, feed.asked)).addErrback(
            lambda failure: self._log.failure("a feed failed", failure, event="http.failed")
        )

    async def _run(self, feed: _Feed, asked: Deferred[Subscription]) -> None:
        problem: Exception | None = None
        try:
            subscription = feed.subscription = await asked
            feed.confirmed = True
            feed.waiting.fire()
            async for message in subscription:
                self._deliver(feed, message)
        except (TokenSocketError, CancelledError) as error:
            problem = error
        if self._feeds.get(feed.channel) is feed:
            del self._feeds[feed.channel]
        self._over(feed, problem)

    def _over(self, feed: _Feed, problem: Exception | None) -> None:
        """The server ended it, or never agreed; or we did."""
        if not feed.confirmed:
            feed.waiting.fire(Failure(problem or CancelledError()))
            return
        end = {"channel": feed.channel, "reason": "" if problem is None else str(problem)}
        for stream in list(feed.streams):
            stream.finish(event("end", end))

    def _close(self, feed: _Feed) -> None:
        del self._feeds[feed.channel]
        if feed.subscription is not None:
            # Where the server does not confirm it, the next connection does not have it.
            feed.subscription.unsubscribe().addErrback(
                lambda failure: self._log.warn(
                    "{channel} was not unsubscribed: {problem}",
                    event="http.not_unsubscribed",
                    channel=feed.channel,
                    problem=failure.getErrorMessage(),
                )
            )
        elif feed.asked is not None:
            feed.asked.cancel()

    # -- what happens

    def _deliver(self, feed: _Feed, message: object) -> None:
        self._send(feed.streams, event(None, {"channel": feed.channel, "message": message}))

    def _send(self, streams: Iterable[Stream], data: bytes) -> None:
        for stream in list(streams):
            if dropped := stream.send(data):
                self._dropped(stream, dropped)

    def _disconnected(self, error: Exception) -> None:
        self._send(self._streams, event("disconnect", {"reason": str(error)}))

    def _reconnected(self, error: Exception | None) -> None:
        if error is None:
            self._send(self._streams, event("reconnect", {}))

    def _heartbeat(self) -> None:
        now = self._reactor.seconds()
        for stream in list(self._streams):
            if stream.paused_since is not None and now - stream.paused_since >= self._timeout:
                self._log.info("a reader takes nothing: dropped", event="http.reader_dropped")
                stream.abort()
            else:
                stream.beat()


def _all(waiting: list[Deferred[None]]) -> Deferred[None]:
    """Fires when all have; fails with the first failure."""
    if len(waiting) == 1:
        return waiting[0]
    together = gatherResults(waiting, consumeErrors=True)

    def first(failure: Failure) -> Failure:
        cause: Failure = failure.value.subFailure  # type: ignore[union-attr]
        return cause

    return together.addCallbacks(lambda _: None, first)
