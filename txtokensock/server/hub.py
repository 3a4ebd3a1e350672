"""
The channels of one server, and the peers that are subscribed to each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import InvalidData, StoreUnavailable
from ..jsontext import loads
from ..messages import RESERVED_CHANNELS
from ..messages.from_server import (
    encode_channel_json,
    encode_channel_message,
    encode_gap,
    encode_unsubscribed,
)
from ..support.slices import Slices
from ..support.user_functions import call_plain_function
from .fan_out import Act, FanOut, drain
from .identities import answer_identities
from .membership import Membership
from .ops.observer import Observer
from .outbox import Outbox
from .peer import Peer
from .presence import Presence, PresenceCount, answer_presence, ask_presence
from .store.gathering import PATIENCE, Answered
from .store.interface import IStoreLink, IStoreListener

__all__ = ["DROP", "Filter", "Hub"]


_ANSWER = 16
"""Units of a turn that it takes to begin an answer."""


class _Drop:
    def __repr__(self) -> str:
        return "DROP"


DROP = _Drop()
"""What a filter returns to keep a message from a peer."""


Filter: TypeAlias = Callable[[Peer, str, Any], Any]
"""
Gets the peer, the channel and the message, and returns what that peer gets: another
message, any JSON, or :data:`~txtokensock.server.DROP`.  The message is a copy of the peer's own.
"""


@dataclass(slots=True)
class _Subscriber:
    outbox: Outbox
    # And what is called when that subscription ends.
    channels: dict[str, Callable[[], object] | None] = field(default_factory=dict)


@implementer(IStoreListener)
class Hub:
    """
    The channels of one server.

    :param filter: see :data:`Filter`; a filter that raises is logged, and its peer does
        not get the message.
    :param slices: for what takes longer than a turn of the reactor.
    :param most: bytes of messages that may wait to be delivered.
    :param observer: is told of those that are dropped.
    :param membership: is told who joins and leaves.
    :ivar fan_out: delivers the messages.
    :ivar link: to the store, set while the server runs.
    """

    _log = Logger()

    def __init__(
        self,
        filter: Filter | None,
        slices: Slices,
        most: int,
        observer: Observer,
        membership: Membership,
    ) -> None:
        self._filter = filter
        self._slices = slices
        self._membership = membership
        self._subscribers: dict[Peer, _Subscriber] = {}
        self._channels: dict[str, dict[Peer, Outbox]] = {}
        self._observer = observer
        self.fan_out = FanOut(self._channels, self._outboxes, slices, most, observer)
        self.link: IStoreLink | None = None

    def refuses(self, channel: str) -> bool:
        """Whether the channel is reserved, so that clients may not use it."""
        if channel in RESERVED_CHANNELS:
            return True
        return self.link is not None and self.link.refuses(channel)

    # -- subscriptions

    def add(self, peer: Peer, outbox: Outbox) -> None:
        """
        Let a peer be subscribed from now on.

        :param outbox: gets each message for the peer.
        """
        self._subscribers[peer] = _Subscriber(outbox)

    def discard(self, peer: Peer) -> None:
        """Forget a peer that is gone, and all its subscriptions."""
        subscriber = self._subscribers.pop(peer, None)
        if subscriber is not None:
            for channel, ended in subscriber.channels.items():
                self._leave(channel, peer)
                if ended is not None:
                    ended()

    def tell(self, peer: Peer, message: bytes) -> None:
        """Send an encoded message to one peer; nothing happens if it is gone."""
        subscriber = self._subscribers.get(peer)
        if subscriber is not None:
            subscriber.outbox.write(message)

    def subscribe(
        self, peer: Peer, channel: str, ended: Callable[[], object] | None = None
    ) -> Deferred[None]:
        """
        Subscribe a peer; nothing happens if it is gone.

        :param ended: called when the subscription ends, or is made again.
        :return: fires with None when the peer hears what any server publishes from now
            on, see :meth:`IStoreLink.subscribe`; where that fails, so does this, and the peer
            is not subscribed.
        """
        subscriber = self._subscribers.get(peer)
        if subscriber is None or self.link is None:
            if ended is not None:
                ended()
            return succeed(None)
        if channel not in subscriber.channels:
            self._membership.tell("join", peer, channel)
        before = subscriber.channels.get(channel)
        subscriber.channels[channel] = ended
        self._channels.setdefault(channel, {})[peer] = subscriber.outbox
        subscribed = self.link.subscribe(channel).addErrback(self._not_subscribed, peer, channel)
        if before is not None:
            before()
        return subscribed

    def _not_subscribed(self, failure: Failure, peer: Peer, channel: str) -> Failure:
        if failure.check(StoreUnavailable):
            self.unsubscribe(peer, channel)
        return failure

    def unsubscribe(self, peer: Peer, channel: str) -> None:
        """Unsubscribe a peer; nothing happens if it is not subscribed."""
        subscriber = self._subscribers.get(peer)
        if subscriber is not None and channel in subscriber.channels:
            ended = subscriber.channels.pop(channel)
            self._leave(channel, peer)
            if ended is not None:
                ended()

    def _leave(self, channel: str, peer: Peer) -> None:
        peers = self._channels[channel]
        del peers[peer]
        self._membership.tell("leave", peer, channel)
        if not peers:
            del self._channels[channel]
            if self.link is not None:
                self.link.unsubscribe(channel)

    def channels(self) -> list[str]:
        """Names of the channels to which a peer of this server is subscribed."""
        return list(self._channels)

    @property
    def channel_count(self) -> int:
        """How many they are."""
        return len(self._channels)

    def channels_of(self, peer: Peer) -> list[str]:
        """Channels of one peer, in the order of their subscription."""
        subscriber = self._subscribers.get(peer)
        return [] if subscriber is None else list(subscriber.channels)

    def has_room(self, peer: Peer, channel: str, limit: int) -> bool:
        """Whether the peer may be subscribed to that channel as well, within the limit."""
        subscriber = self._subscribers.get(peer)
        if subscriber is None:
            return True
        return channel in subscriber.channels or len(subscriber.channels) < limit

    def peers_of(self, channel: str) -> list[Peer]:
        """Peers of one channel, in the order of their subscription."""
        return list(self._channels.get(channel, ()))

    # -- what goes out to all servers

    def publish(self, channel: str, message: bytes) -> Deferred[None]:
        """Publish to the peers of all servers, see :meth:`IStoreLink.publish`."""
        return fail(_not_running()) if self.link is None else self.link.publish(channel, message)

    def broadcast(self, message: bytes) -> Deferred[None]:
        """Broadcast to the peers of all servers, see :meth:`IStoreLink.broadcast`."""
        return fail(_not_running()) if self.link is None else self.link.broadcast(message)

    def unsubscribe_everywhere(self, channel: str) -> Deferred[None]:
        """Unsubscribe the peers of all servers, see :meth:`IStoreLink.unsubscribe_all`."""
        return fail(_not_running()) if self.link is None else self.link.unsubscribe_all(channel)

    def ask_servers(
        self, question: bytes, heard: Callable[[bytes], object], patience: float = PATIENCE
    ) -> Deferred[Answered]:
        """Ask all servers, see :meth:`IStoreLink.ask_servers`."""
        if self.link is None:
            return fail(_not_running())
        return self.link.ask_servers(question, heard, patience)

    async def presence(self, channel: str, limit: int) -> Presence:
        """Ask all servers who is subscribed to a channel."""
        answers = PresenceCount(channel, limit)
        asked = self.ask_servers(ask_presence(channel, limit), answers.add)
        return answers.result(await asked)

    # -- what comes in from all servers: IStoreListener

    def channel_message(self, channel: str, message: bytes) -> None:
        """Deliver a message to the peers of one channel."""
        if channel in self._channels:
            self.fan_out.deliver(channel, self._sending(message, channel), len(message))

    def broadcast_message(self, message: bytes) -> None:
        """
        Deliver a message to all peers, once for each of their channels, as if it had been
        published there: peers without channels get nothing, as with node-token-sockjs.
        """
        self.fan_out.broadcast(partial(self._sending, message), len(message))

    def unsubscribe_all(self, channel: str) -> None:
        """Unsubscribe all peers of a channel, and tell them."""
        notice = encode_unsubscribed(channel)

        def unsubscribe(peer: Peer, outbox: Outbox) -> None:
            self.unsubscribe(peer, channel)
            outbox.write(notice)

        self.fan_out.deliver(channel, unsubscribe, len(notice))

    def interrupted(self, seconds: float) -> None:
        """Count it; each channel is told of when its messages come again."""
        self._observer.store_interrupted(seconds)

    def missed(self, channel: str, seconds: float) -> None:
        """Tell the peers of a channel that messages may be missing, behind those that came."""
        notice = encode_gap(channel, seconds)
        self.fan_out.deliver(channel, notice, len(notice))

    def answer(self, question: bytes, reply: Callable[[bytes, bool], None]) -> None:
        """
        Answer a server that asks who is subscribed to a channel, or about an identity; of very
        many questions some in later turns.
        """
        if self._slices.units <= 0:
            self._slices.call(partial(self.answer, question, reply))
            return
        self._slices.units -= _ANSWER
        answer_presence(question, self._channels, self._slices, reply)
        answer_identities(question, self._subscribers, self._slices, reply)

    def delivered(self, channel: str | None) -> Deferred[None] | None:
        """When what waits for a channel has been delivered, see :meth:`FanOut.delivered`."""
        return self.fan_out.delivered(channel)

    async def drain(self, channel: str | None) -> None:
        """Wait, for seconds at most, until the peers of a channel have room, None for all."""
        await drain(self.fan_out.slowest(channel), self._slices)

    def stop(self) -> None:
        """Drop what waits to be delivered, say who has left, and be without a store."""
        self.link = None
        self.fan_out.stop()
        self._membership.flush()

    def _outboxes(self) -> Iterable[Outbox]:
        return [subscriber.outbox for subscriber in self._subscribers.values()]

    def _sending(self, message: bytes, channel: str) -> bytes | Act:
        if self._filter is None:
            return encode_channel_json(channel, message)

        def send(peer: Peer, outbox: Outbox) -> None:
            filtered = self._filtered(peer, channel, message)
            if filtered is not None:
                outbox.write(filtered)

        return send

    def _filtered(self, peer: Peer, channel: str, message: bytes) -> bytes | None:
        assert self._filter is not None
        try:
            # Decoded for each peer: what a filter changes must not reach the next peer.
            mine = call_plain_function(self._filter, peer, channel, loads(message))
            return None if mine is DROP else encode_channel_message(channel, mine)
        except InvalidData:
            self._log.failure(
                "the filter returned what has no JSON form, on {channel}",
                event="filter.failed",
                channel=channel,
            )
        except Exception:
            self._log.failure(
                "the filter raised on {channel}", event="filter.failed", channel=channel
            )
        return None


def _not_running() -> StoreUnavailable:
    return StoreUnavailable("the server is not running")
