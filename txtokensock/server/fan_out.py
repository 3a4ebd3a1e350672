"""
Delivery of messages to the peers of channels, in turns of the reactor that stay short.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..support.slices import Slices
from ..support.waiters import Waiters
from .ops.observer import Observer
from .outbox import Outbox
from .peer import Peer

__all__ = ["Act", "FanOut"]

Act: TypeAlias = Callable[[Peer, Outbox], object]
"""Does something with one peer, and never raises.  An encoded message is sent instead."""

_STEP = 64
"""Peers of one channel that are served before others have their turn."""

_STEP_BYTES = 256 * 1024

_FULL_TURN = 128
"""Outboxes that are to be written, which takes longer than to fill them."""

_SOURCE = 8  # bytes that a peer takes in a delivery that waits


class _Delivery:
    """
    What the peers of one channel are to get.

    :param receivers: peers, some of which may have left the channel when their turn comes.
    :param act: what to do with each, or what to send it.
    :param size: bytes of a message.
    :ivar held: bytes of memory.
    :ivar done: fired when all have got it.
    """

    __slots__ = ("act", "done", "held", "left", "receivers", "size")

    def __init__(self, receivers: tuple[Peer, ...], act: bytes | Act, size: int) -> None:
        self.receivers = iter(receivers)
        self.left = len(receivers)
        self.act = act
        self.size = size
        self.held = size + _SOURCE * self.left
        self.done: Waiters[None] = Waiters()


class _Queue(deque[_Delivery]):
    """
    What waits for one channel.

    :ivar held: bytes of memory.
    """

    held = 0


class _Broadcast:
    """
    A message for all channels, which is given to one after the other.

    :param channels: their names.
    :param act_for: gives what is to be done in one channel.
    :param size: bytes of the message.
    :ivar left: channels that have not begun to get it.
    """

    def __init__(
        self, channels: Iterable[str], act_for: Callable[[str], bytes | Act], size: int
    ) -> None:
        self.left = dict.fromkeys(channels)
        self.order: Iterator[str] = iter(tuple(self.left))
        self.act_for = act_for
        self.size = size
        self.given = 0
        self.done: Waiters[None] = Waiters()


class FanOut:
    """
    Delivers to the peers of channels.  What is for few peers, and finds no queue, is delivered
    at once; everything else in slices, channel by channel in turn, each channel in order.
    Broadcasts are delivered one at a time, before all that is published after them.

    :param channels: the peers of each channel at any time, with their outboxes.
    :param outboxes: gives those of all peers.
    :param slices: for later turns.
    :param most: bytes that may wait; a message beyond them is dropped.  It may change.
    :param observer: is told of each that is.
    """

    _log = Logger()

    def __init__(
        self,
        channels: Mapping[str, Mapping[Peer, Outbox]],
        outboxes: Callable[[], Iterable[Outbox]],
        slices: Slices,
        most: int,
        observer: Observer,
    ) -> None:
        self._channels = channels
        self._outboxes = outboxes
        self._slices = slices
        self.most = most
        self._observer = observer
        self._queues: dict[str, _Queue] = {}
        self._broadcasts: deque[_Broadcast] = deque()
        self._held = self._broadcasts_held = 0
        self._dropped = self._dropped_bytes = 0

    # -- what is to be delivered

    def deliver(self, channel: str, act: bytes | Act, size: int) -> None:
        """
        Deliver to the peers that a channel has now, as far as they stay.

        :param act: what to send to each, or what to do with it.
        :param size: bytes of a message.
        """
        for broadcast in self._broadcasts:
            if channel in broadcast.left:
                del broadcast.left[channel]
                self._begin(channel, broadcast.act_for(channel), broadcast.size)
        self._begin(channel, act, size)

    def broadcast(self, act_for: Callable[[str], bytes | Act], size: int) -> None:
        """
        Deliver to the peers of all channels.

        :param act_for: gives what :meth:`deliver` takes, for a channel.
        :param size: bytes of a message.
        """
        if not self._fits(self._broadcasts_held, size):
            return
        self._held += size
        self._broadcasts_held += size
        self._broadcasts.append(_Broadcast(self._channels, act_for, size))
        if len(self._broadcasts) == 1:
            self._broadcast_on()

    def delivered(self, channel: str | None) -> Deferred[None] | None:
        """
        :param channel: None for broadcasts.
        :return: None if nothing waits there; otherwise fires with None when all that waits
            now has been delivered, or dropped at the end.  Cancelling it ends this wait.
        """
        waiting = self._broadcasts if channel is None else self._queues.get(channel)
        return waiting[-1].done.wait() if waiting else None

    def slowest(self, channel: str | None) -> list[Outbox]:
        """
        Outboxes that cannot be written at present, as too much waits in them already, and
        that are worth to be waited for.

        :param channel: whose peers'; None for those of all.
        """
        now = self._slices.reactor.seconds()
        peers = self._channels.get(channel, {}) if channel is not None else None
        outboxes = self._outboxes() if peers is None else peers.values()
        return [outbox for outbox in outboxes if outbox.full and outbox.patience_from <= now]

    def stop(self) -> None:
        """Drop everything that waits."""
        queues, self._queues = self._queues, {}
        broadcasts = tuple(self._broadcasts)
        self._broadcasts.clear()
        self._held = self._broadcasts_held = self._dropped = self._dropped_bytes = 0
        for queue in queues.values():
            for delivery in queue:
                delivery.done.fire()
        for broadcast in broadcasts:
            broadcast.done.fire()

    # -- channels

    def _begin(self, channel: str, act: bytes | Act, size: int) -> None:
        peers = self._channels.get(channel)
        if not peers:
            return
        queue = self._queues.get(channel)
        has_turn = self._slices.units > 0
        if queue is None and has_turn and self._room(act, size) >= len(peers):
            self._do(peers, tuple(peers), act, size)
        elif self._fits(0 if queue is None else queue.held, size):
            delivery = _Delivery(tuple(peers), act, size)
            self._held += delivery.held
            is_first = queue is None
            if queue is None:
                queue = self._queues[channel] = _Queue()
            queue.append(delivery)
            queue.held += delivery.held
            if is_first and has_turn:
                self._deliver_on(channel)
            elif is_first:
                self._slices.call(partial(self._deliver_on, channel))

    def _deliver_on(self, channel: str) -> None:
        """Serve some peers of a channel, and the others later."""
        queue = self._queues.get(channel)
        if queue is None:  # all was dropped
            return
        peers = self._channels.get(channel, {})
        done = []
        room = self._room(queue[0].act, queue[0].size)
        while queue and room > 0:
            delivery = queue[0]
            receivers = tuple(islice(delivery.receivers, room))
            self._do(peers, receivers, delivery.act, delivery.size)
            room -= len(receivers) + (delivery.size >> 12)
            delivery.left -= len(receivers)
            if delivery.left <= 0:
                done.append(queue.popleft())
                queue.held -= delivery.held
                self._let_go(delivery.held)
        if queue:
            self._slices.call(partial(self._deliver_on, channel))
        else:
            del self._queues[channel]
        for delivery in done:
            delivery.done.fire()

    def _do(
        self,
        peers: Mapping[Peer, Outbox],
        receivers: tuple[Peer, ...],
        act: bytes | Act,
        size: int,
    ) -> None:
        # A peer may leave while others are served.
        if isinstance(act, bytes):
            for peer in receivers:
                outbox = peers.get(peer)
                if outbox is not None:
                    outbox.write(act)
        else:
            for peer in receivers:
                outbox = peers.get(peer)
                if outbox is not None:
                    act(peer, outbox)
        count = len(receivers)
        self._slices.units -= 1 + (count >> 4) + (count * size >> 14)

    def _room(self, act: bytes | Act, size: int) -> int:
        """How many peers a step may serve; one at least, so that none stands still."""
        most = min(_STEP, _FULL_TURN - len(self._slices), _STEP_BYTES // (size + 1))
        # A filter decodes and encodes what others are only sent.
        return max(1, most if isinstance(act, bytes) else most // 4)

    # -- broadcasts

    def _broadcast_on(self) -> None:
        """Give the first broadcast to some channels, and to the others later."""
        if not self._broadcasts:
            return
        broadcast = self._broadcasts[0]
        size, room = broadcast.size, self._room(b"", broadcast.size)
        for channel in broadcast.order:
            if channel not in broadcast.left:
                continue  # it got it before what was published there
            del broadcast.left[channel]
            peers = self._channels.get(channel, ())
            self._begin(channel, broadcast.act_for(channel), size)
            broadcast.given += size
            room -= max(1, len(peers))
            queue = self._queues.get(channel)
            if queue is not None:
                queue[-1].done.wait().addCallback(lambda _: self._broadcast_later(broadcast))
                return
            if room <= 0:
                self._broadcast_later(broadcast)
                return
        self._broadcasts.popleft()
        self._broadcasts_held -= size
        self._let_go(size)
        if self._broadcasts:
            self._slices.call(self._broadcast_on)
        broadcast.done.fire()

    def _broadcast_later(self, broadcast: _Broadcast) -> None:
        if broadcast.given < PACE:
            self._slices.call(self._broadcast_on)
            return
        broadcast.given = 0
        ready = Deferred.fromCoroutine(drain(self.slowest(None), self._slices))
        ready.addCallback(lambda _: self._slices.call(self._broadcast_on))

    # -- the bound

    def _fits(self, held: int, size: int) -> bool:
        """
        Whether more may wait in one queue: as much as is still free for all others, so that
        no channel can take their room.

        :param held: bytes that wait in it already.
        """
        if held + size <= self.most - self._held:
            return True
        if not self._dropped:
            self._log.warn(
                "{held} bytes wait to be delivered: messages are dropped until there is room",
                event="fan_out.full",
                held=self._held,
            )
        self._dropped += 1
        self._dropped_bytes += size
        self._observer.message_dropped(size)
        return False

    def _let_go(self, size: int) -> None:
        self._held -= size
        if self._dropped and self._held <= self.most // 2:
            self._log.warn(
                "there is room again: {dropped} messages of {size} bytes were dropped",
                event="fan_out.room",
                dropped=self._dropped,
                size=self._dropped_bytes,
            )
            self._dropped = self._dropped_bytes = 0


PACE = 1024 * 1024
"""Bytes for one receiver after which who sends them waits for those that are slow."""

_PATIENCE = 5.0
"""Seconds in which a slow receiver has to read what waits for it."""

_NO_PATIENCE = 60.0
"""Seconds in which nobody waits for one that took longer."""


async def drain(outboxes: list[Outbox], slices: Slices) -> None:
    """Wait until what waits in outboxes has left, with the patience that they deserve."""
    seconds = slices.reactor.seconds
    end = seconds() + _PATIENCE
    for outbox in outboxes:
        await outbox.drained(max(0.0, end - seconds()))
        if outbox.full:
            outbox.patience_from = seconds() + _NO_PATIENCE
