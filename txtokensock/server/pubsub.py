"""
What one authenticated peer wants of channels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.defer import Deferred

from ..errors import InvalidChannel
from ..jsontext import dumps
from ..messages import check_channel
from ..messages.from_client import Broadcast, Publish, Subscribe, Unsubscribe, Uuid
from ..messages.from_server import (
    encode_answer,
    encode_subscribed,
    encode_subscribed_with_request,
    encode_unsubscribed,
)
from .close_codes import CHANNEL_NAME_TOO_LONG, TOO_MANY_CHANNELS, Closing
from .hooks import Refused
from .peer import Peer
from .server_context import ServerContext

__all__ = ["LimitExceeded", "PubSub", "PubSubRequest", "Turn", "Turns"]

PubSubRequest: TypeAlias = Subscribe | Unsubscribe | Publish | Broadcast


class LimitExceeded(Exception):
    """
    The request crosses a limit.

    :ivar closing: how its peer ends.
    """

    def __init__(self, closing: Closing) -> None:
        super().__init__(closing.reason)
        self.closing = closing


class Turn:
    """
    A request's place among those of its peer for the same channel.

    :param queue: where it waits.
    :ivar begun: whether it was let in.
    :ivar ended: whether it was answered, perhaps before it was let in.
    """

    def __init__(self, queue: _Queue) -> None:
        self._queue = queue
        self._came: Deferred[None] = Deferred()
        self.begun = False
        self.ended = False

    async def wait(self) -> None:
        """Until the one before is answered."""
        await self._came

    def begin(self) -> None:
        """Let it in."""
        self.begun = True
        if not self._came.called:
            self._came.callback(None)

    def end(self) -> None:
        """The request is answered: let the next one begin."""
        self.ended = True
        self._queue.advance()


class _Queue:
    """
    The requests for one channel.

    :param empty: called when the last of them has ended.
    """

    def __init__(self, empty: Callable[[], object]) -> None:
        self._turns: deque[Turn] = deque()
        self._empty = empty
        self._advancing = False

    def append(self, turn: Turn) -> None:
        """One more; it begins at once if it is the first."""
        self._turns.append(turn)
        self.advance()

    def advance(self) -> None:
        """
        Let the first begin.  One that ends at once only says so, and is followed from
        here: were each to let the next one begin, many would exhaust the stack.
        """
        if self._advancing:
            return
        self._advancing = True
        while self._turns:
            first = self._turns[0]
            if first.ended:
                self._turns.popleft()
            elif first.begun:
                break
            else:
                first.begin()
        self._advancing = False
        if not self._turns:
            self._empty()


class Turns:
    """
    Lets one peer's requests for the same channel pass one after the other: a slow hook
    must not turn "subscribe, unsubscribe" around, nor lose what is published between
    them (S32).
    """

    def __init__(self) -> None:
        self._queues: dict[str | None, _Queue] = {}

    def take(self, request: PubSubRequest) -> Turn:
        """The request's place, after all that came before it; it must be ended."""
        channel = None if isinstance(request, Broadcast) else request.channel
        queue = self._queues.get(channel)
        if queue is None:
            queue = self._queues[channel] = _Queue(lambda: self._queues.pop(channel, None))
        turn = Turn(queue)
        queue.append(turn)
        return turn


class PubSub:
    """
    :param context: what the server's peers share.
    :param peer: whose requests.
    """

    def __init__(self, context: ServerContext, peer: Peer) -> None:
        self._context = context
        self._peer = peer

    async def handle(self, request: PubSubRequest, turn: Turn) -> list[bytes]:
        """
        :param turn: of its channel.
        :return: what to send on success.
        :raises Refused: if it is not allowed.
        :raises LimitExceeded: if it is more than the peer may have.
        :raises StoreUnavailable: see :class:`IStoreLink`.
        """
        if isinstance(request, Broadcast):
            await turn.wait()
            return await self._broadcast(request)
        channel = self._checked(request.channel)
        await turn.wait()
        if isinstance(request, Subscribe):
            return await self._subscribe(channel, request.uuid)
        if isinstance(request, Unsubscribe):
            return await self._unsubscribe(channel, request.uuid)
        return await self._publish(channel, request)

    def _checked(self, channel: str) -> str:
        if self._context.hub.refuses(channel):
            raise Refused("Forbidden")
        try:
            check_channel(channel)
        except InvalidChannel:
            raise Refused("Invalid request") from None
        if len(channel.encode()) > self._context.limits.channel_length:
            raise LimitExceeded(CHANNEL_NAME_TOO_LONG)
        return channel

    async def _subscribe(self, channel: str, uuid: Uuid) -> list[bytes]:
        context, peer = self._context, self._peer
        self._check_room(channel)
        await context.hooks.ask("subscribe", peer, channel)
        self._check_room(channel)  # hooks of other channels may have passed meanwhile
        await context.hub.subscribe(peer, channel)
        if context.acks:
            return [*self._ack("_subscribe", uuid), encode_subscribed(channel)]
        return [encode_subscribed_with_request(channel, uuid)]

    def _check_room(self, channel: str) -> None:
        context = self._context
        if not context.hub.has_room(self._peer, channel, context.limits.channels):
            raise LimitExceeded(TOO_MANY_CHANNELS)

    async def _unsubscribe(self, channel: str, uuid: Uuid) -> list[bytes]:
        await self._context.hooks.ask("unsubscribe", self._peer, channel)
        # Acknowledged also if it was not subscribed, as the originals do (S4).
        self._context.hub.unsubscribe(self._peer, channel)
        return [*self._ack("_unsubscribe", uuid), encode_unsubscribed(channel)]

    async def _publish(self, channel: str, request: Publish) -> list[bytes]:
        await self._context.hooks.ask("publish", self._peer, channel, request.data)
        await self._context.hub.publish(channel, dumps(request.data))
        return self._ack("_publish", request.uuid)

    async def _broadcast(self, request: Broadcast) -> list[bytes]:
        await self._context.hooks.ask("broadcast", self._peer, request.data)
        await self._context.hub.broadcast(dumps(request.data))
        return self._ack("_broadcast", request.uuid)

    def _ack(self, rpc: str, uuid: Uuid) -> list[bytes]:
        # The answer first, then the notice: the one order in which all three JavaScript
        # clients call their callbacks.
        if not self._context.acks or uuid is None:
            return []
        return [encode_answer(rpc, uuid, "success")]
