"""
The requests of one authenticated peer about channels: subscribe, unsubscribe, publish and
broadcast.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

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
from .fan_out import PACE
from .hooks import Refused
from .keyed_queue import KeyedQueue, Place
from .limits import LimitExceeded
from .peer import PeerConnection
from .renewal import Renewal
from .server_context import ServerContext

__all__ = ["PubSub", "PubSubRequest"]

PubSubRequest: TypeAlias = Subscribe | Unsubscribe | Publish | Broadcast


class PubSub:
    """
    Does what a peer's requests about channels ask for.

    :param context: what the server's peers share.
    :param connection: of the peer whose requests they are.
    :param queues: of the peer's requests, by channel.
    """

    __slots__ = ("_connection", "_context", "_peer", "_queues", "_unpaced")

    def __init__(
        self, context: ServerContext, connection: PeerConnection, queues: KeyedQueue
    ) -> None:
        self._context = context
        self._connection = connection
        self._peer = connection.peer
        self._queues = queues
        self._unpaced = 0  # bytes for one receiver since the slow ones were waited for

    async def handle(self, request: PubSubRequest, place: Place) -> list[bytes]:
        """
        Do what one request asks for, after those before it for the same channel.

        :param place: of the request, in the queue of its channel.
        :return: what to send on success.
        :raises Refused: if a hook or the server refuses it.
        :raises LimitExceeded: if it exceeds a limit.
        :raises StoreUnavailable: see :class:`IStoreLink`.
        """
        if isinstance(request, Broadcast):
            await place.wait()
            return await self._broadcast(request)
        channel = self._checked(request.channel)
        await place.wait()
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
        limits = self._peer.limits
        if len(channel.encode()) > limits.channel_length:
            raise LimitExceeded.of("channel_length", limits, len(channel))
        return channel

    async def _subscribe(self, channel: str, uuid: Uuid) -> list[bytes]:
        context, peer = self._context, self._peer
        self._check_room(channel)
        seconds = await context.hooks.ask("subscribe", peer, channel)
        self._check_room(channel)  # hooks of other channels may have passed meanwhile
        if seconds is None:
            await context.hub.subscribe(peer, channel)
        else:
            renewal = Renewal(context, peer, channel, self._queues.enter, seconds)
            await context.hub.subscribe(peer, channel, renewal.cancel)
        if context.acks:
            return [*self._ack("_subscribe", uuid), encode_subscribed(channel)]
        return [encode_subscribed_with_request(channel, uuid)]

    def _check_room(self, channel: str) -> None:
        limits = self._peer.limits
        if not self._context.hub.has_room(self._peer, channel, limits.channels):
            raise LimitExceeded.of("channels", limits)

    async def _unsubscribe(self, channel: str, uuid: Uuid) -> list[bytes]:
        await self._context.hooks.ask("unsubscribe", self._peer, channel)
        # Acknowledged also if it was not subscribed, as node-token-sockjs does.
        self._context.hub.unsubscribe(self._peer, channel)
        return [*self._ack("_unsubscribe", uuid), encode_unsubscribed(channel)]

    async def _publish(self, channel: str, request: Publish) -> list[bytes]:
        await self._context.hooks.ask("publish", self._peer, channel, request.data)
        return await self.published(request, self._to_store(channel, request.data))

    def _to_store(self, channel: str, data: Any) -> Deferred[None]:
        message = dumps(data)
        self._unpaced += len(message)
        return self._context.hub.publish(channel, message)

    def publish(self, request: Publish) -> Deferred[None] | list[bytes]:
        """
        Publish without asking hooks, for there are none, nor waiting for those before it.

        :return: what to send on success, if there is nothing to wait for; otherwise what
            :meth:`published` waits for.
        :raises Refused, LimitExceeded: as :meth:`handle`.
        """
        channel = self._checked(request.channel)
        stored = self._to_store(channel, request.data)
        at_once = stored.called and not stored.paused and stored.result is None
        if at_once and self._unpaced < PACE and self._context.hub.delivered(channel) is None:
            return self._ack("_publish", request.uuid)
        return stored

    async def published(self, request: Publish, stored: Deferred[None]) -> list[bytes]:
        """:return: what to send when the store, and the peers of this server, have it."""
        await stored
        await self._delivered(request.channel)
        return self._ack("_publish", request.uuid)

    async def _broadcast(self, request: Broadcast) -> list[bytes]:
        await self._context.hooks.ask("broadcast", self._peer, request.data)
        message = dumps(request.data)
        await self._context.hub.broadcast(message)
        self._unpaced += len(message) * self._context.hub.channel_count
        await self._delivered(None)
        return self._ack("_broadcast", request.uuid)

    async def _delivered(self, channel: str | None) -> None:
        """
        Do not read what the peer sends until what it published has been delivered, and, where
        it published much, until those have room who read slower than that.
        """
        context = self._context
        delivered = context.hub.delivered(channel)
        if delivered is None and self._unpaced < PACE:
            return
        self._connection.slow_down(True)
        try:
            if delivered is not None:
                await delivered
            if self._unpaced >= PACE:
                self._unpaced = 0
                await context.hub.drain(channel)
        finally:
            context.slices.call(partial(self._connection.slow_down, False))  # after the answer

    def _ack(self, rpc: str, uuid: Uuid) -> list[bytes]:
        # The answer first, then the notice: the one order in which all three JavaScript
        # clients call their callbacks.
        if not self._context.acks or uuid is None:
            return []
        return [encode_answer(rpc, uuid, "success")]
