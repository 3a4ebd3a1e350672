"""
One server's link to Redis.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ...errors import StoreUnavailable
from ...support.slices import Slices
from ...support.waiters import Waiters
from .gathering import PATIENCE, Answered
from .interface import IStoreLink, IStoreListener
from .redis_checks import check_commands, is_elsewhere, is_refusal, reason
from .redis_connection import RedisConnection
from .redis_gaps import RedisGaps
from .redis_layout import Layout, UnsubscribeAll, decode_command, encode_unsubscribe_all
from .redis_questions import RedisQuestions

__all__ = ["OnMessage", "RedisLink"]


_NOBODY = "00000000-0000-4000-8000-000000000000"
"""No token; what is asked of its key changes nothing."""

OnMessage: TypeAlias = Callable[[bytes, bytes], None]
"""Called with the Redis channel and the payload of each message."""


@implementer(IStoreLink)
class RedisLink:
    """
    Two connections, because one that has subscriptions takes no other commands.

    :param listener: is told what is published.
    :param layout: names keys and channels.
    :param connect: makes a :class:`RedisConnection` from its ``build``, ``on_ready``, ``on_lost``
        and ``check``.
    :param build: makes a txredisapi protocol; with an :data:`OnMessage` it is one for
        subscriptions.
    :param reactor: for what takes longer than a turn of it.
    """

    _log = Logger()

    def __init__(
        self,
        listener: IStoreListener,
        layout: Layout,
        connect: Callable[..., RedisConnection],
        build: Callable[[OnMessage | None], Any],
        reactor: IReactorTime,
    ) -> None:
        self._listener = listener
        self._layout = layout
        self._questions = RedisQuestions(layout, partial(self._command, "PUBLISH"), reactor)
        self._wanted: dict[str, None] = {}
        self._unwanted: deque[str] = deque()
        self._waiting: dict[str, Waiters[None]] = {}
        self._confirmed: set[str] = set()
        self._told_deaf: str | None = None
        self._deaf: dict[bytes, str] = {}  # why Redis keeps from us what servers tell each other
        self._told_refusal: str | None = None
        self._reactor = reactor
        self._gaps = RedisGaps(listener, reactor)
        self._was_ready = False
        self._lifetime = 30  # of tokens, in seconds; others may issue before we do
        self._tokens_may_be_lost = 0.0  # until when
        check = partial(check_commands, key=layout.key(_NOBODY))
        self._commands = connect(partial(build, None), self._ready, lambda: None, check)
        self._slices = Slices(reactor)
        self._subscriber = connect(
            partial(build, self._message), self._restore, self._release, self._check_subscriber
        )
        self._commands.beside, self._subscriber.beside = self._subscriber, self._commands

    @property
    def available(self) -> bool:
        """Whether Redis answered, takes writes, and the connection has not been lost since."""
        return self._commands.protocol is not None and self._commands.problem is None

    @property
    def problem(self) -> str | None:
        """
        Why it cannot be reached, does not serve us, or does not let us hear what others publish,
        in one line; None where all is well, or was not asked yet.
        """
        deaf = next(iter(self._deaf.values()), None)
        return self._commands.problem or self._subscriber.problem or deaf

    @property
    def since(self) -> float:
        """Since when that is so, in seconds by the reactor's clock."""
        return self._commands.since

    def known(self) -> Deferred[None]:
        return self._commands.known()

    def refuses(self, channel: str) -> bool:
        return self._layout.refuses(channel)

    # -- commands

    def issue_token(self, token: str, identity: bytes, lifetime: int) -> Deferred[None]:
        self._lifetime = max(self._lifetime, lifetime)
        return self._tell("SETEX", self._layout.key(token), lifetime, identity)

    def spend_token(self, token: str) -> Deferred[bytes | None]:
        spent: Deferred[bytes | None] = self._command("GETDEL", self._layout.key(token))
        return spent.addCallback(self._spent)

    def _spent(self, identity: bytes | None) -> bytes | None:
        if identity is None and self._reactor.seconds() < self._tokens_may_be_lost:
            raise StoreUnavailable("the token may have been lost with the Redis that was there")
        return identity

    def _ready(self) -> None:
        """Redis takes commands; it may be another one, or one that has forgotten the tokens."""
        if self._was_ready:
            self._tokens_may_be_lost = self._reactor.seconds() + self._lifetime
        self._was_ready = True

    def publish(self, channel: str, message: bytes) -> Deferred[None]:
        payload = self._layout.published(message)
        return self._tell("PUBLISH", self._layout.channel(channel), payload)

    def broadcast(self, message: bytes) -> Deferred[None]:
        return self._tell("PUBLISH", self._layout.all, self._layout.published(message))

    def unsubscribe_all(self, channel: str) -> Deferred[None]:
        return self._tell("PUBLISH", self._layout.sync, encode_unsubscribe_all(channel))

    def ask_servers(
        self, question: bytes, heard: Callable[[bytes], object], patience: float = PATIENCE
    ) -> Deferred[Answered]:
        return self._questions.ask(question, heard, patience)

    def _tell(self, *command: Any) -> Deferred[None]:
        """Send a command whose reply does not matter, once it is there."""
        return self._command(*command).addCallback(lambda _: None)

    def _command(self, *command: Any) -> Deferred[Any]:
        protocol = self._commands.protocol
        if protocol is None:
            return fail(StoreUnavailable(self.problem or "Redis does not answer"))
        asked = maybeDeferred(protocol.execute_command, *command)
        return asked.addErrback(self._failed, command[0])

    def _failed(self, failure: Failure, command: str) -> Any:
        if failure.check(CancelledError):
            return failure  # who asked has gone
        why = reason(failure)
        if why.startswith("WRONGTYPE"):
            return None  # another program's key, whose name has the form of a token
        if self._commands.protocol is not None:
            if is_refusal(why, command):
                self._commands.refuses(why, reconnect=is_elsewhere(why))
            elif why != self._told_refusal:
                self._told_refusal = why
                self._log.error(
                    "Redis refuses {command}: {why}",
                    event="redis.refuses",
                    command=command,
                    why=why,
                )
        raise StoreUnavailable(f"Redis failed: {why}") from None

    # -- subscriptions

    def subscribe(self, channel: str) -> Deferred[None]:
        self._wanted[channel] = None
        if self._subscriber.protocol is None or channel in self._confirmed:
            return succeed(None)
        is_asked_for = channel in self._waiting
        confirmed = self._waiting.setdefault(channel, Waiters()).wait()
        if self._deaf:
            self._listen_to_servers()  # for that may have been mended
        if not is_asked_for:
            self._ask_for(channel)  # which may be answered at once
        return confirmed

    def unsubscribe(self, channel: str) -> None:
        self._wanted.pop(channel, None)
        self._confirmed.discard(channel)
        self._gaps.forget(channel)
        self._waiting.pop(channel, Waiters()).fire()
        self._unwanted.append(channel)
        if len(self._unwanted) == 1:
            self._unsubscribe_some()

    def _unsubscribe_some(self) -> None:
        """Tell Redis of channels that nobody wants; of many, as when a peer goes, in turns."""
        slices = self._slices
        while self._unwanted and slices.units > 0:
            slices.units -= 1
            channel = self._unwanted.popleft()
            if channel not in self._wanted:
                asked = self._subscriber_command("UNSUBSCRIBE", self._layout.channel(channel))
                asked.addErrback(lambda _: None)  # lost, and with it the subscription
        if self._unwanted:
            slices.call(self._unsubscribe_some)

    def _ask_for(self, channel: str) -> None:
        waiting = self._waiting.setdefault(channel, Waiters())

        def answered(outcome: Any) -> None:
            if self._waiting.get(channel) is not waiting:
                return  # unsubscribed, or disconnected, meanwhile
            del self._waiting[channel]
            if not isinstance(outcome, Failure):
                self._confirmed.add(channel)
                waiting.fire()
                self._gaps.subscribed(channel)
                return
            why = reason(outcome)
            if not why.startswith("NOPERM"):
                waiting.fire()
                self._subscriber.refuses(why, reconnect=True)  # which asks again
                return
            self._log.error("a subscription failed: {why}", event="redis.not_subscribed", why=why)
            self._wanted.pop(channel, None)
            self._gaps.forget(channel)
            if waiting:
                waiting.fire(Failure(StoreUnavailable(f"Redis failed: {why}")))
            else:  # it was confirmed on an earlier connection
                self._listener.unsubscribe_all(channel)

        asked = self._subscriber_command("SUBSCRIBE", self._layout.channel(channel))
        asked.addBoth(answered)

    def _subscriber_command(self, command: str, channel: bytes) -> Deferred[Any]:
        protocol = self._subscriber.protocol
        if protocol is None:
            return succeed(None)
        # One channel a command, so that every command has one reply; without one in
        # time, the protocol drops its connection.
        return maybeDeferred(protocol.execute_command, command, channel)

    def _restore(self) -> None:
        """Redis answers, perhaps again: subscribe to everything that is wanted now."""
        self._listen_to_servers()
        self._gaps.end()
        protocol = self._subscriber.protocol

        def restore(name: str) -> None:
            # In a later turn, much may have changed.
            is_asked_for = name in self._confirmed or name in self._waiting
            if self._subscriber.protocol is protocol and name in self._wanted and not is_asked_for:
                self._ask_for(name)

        self._slices.for_each(self._wanted, restore)

    def _listen_to_servers(self) -> None:
        """Subscribe to what servers tell each other."""
        for channel in filter(
            None, (self._layout.all, self._layout.sync, self._questions.channel)
        ):
            asked = self._subscriber_command("SUBSCRIBE", channel)
            asked.addCallbacks(self._heard, self._not_heard, (channel,), errbackArgs=(channel,))

    def _heard(self, _: object, channel: bytes) -> None:
        if self._deaf.pop(channel, None) is not None and not self._deaf:
            self._told_deaf = None
            self._log.info("Redis lets us hear what is broadcast", event="redis.hears")

    def _not_heard(self, failure: Failure, channel: bytes) -> None:
        why = reason(failure)
        if not why.startswith("NOPERM"):
            self._subscriber.refuses(why, reconnect=True)
            return
        self._deaf[channel] = why
        if why != self._told_deaf:
            self._told_deaf = why
            self._log.error(
                "Redis lets nobody hear what is broadcast: {why}", event="redis.deaf", why=why
            )

    async def _check_subscriber(self, _: object) -> None:
        """What was forbidden may be allowed by now."""
        if self._deaf:
            self._listen_to_servers()

    def _release(self) -> None:
        """The connection is gone: end all waiting for confirmations."""
        self._gaps.begin(self._confirmed, self._subscriber.heard_at)
        self._confirmed.clear()
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.fire()

    def _message(self, channel: bytes, payload: bytes) -> None:
        if channel == self._layout.all:
            self._listener.broadcast_message(self._layout.received(payload))
        elif channel == self._layout.sync:
            command = decode_command(payload)
            if isinstance(command, UnsubscribeAll):
                self._listener.unsubscribe_all(command.data.channel)
            elif command is not None:
                self._questions.asked(command, self._listener)
        elif channel == self._questions.channel:
            self._questions.answered(payload)
        else:
            name = self._layout.name(channel)
            if name in self._wanted:
                self._listener.channel_message(name, self._layout.received(payload))

    # -- the end

    def close(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        self._wanted.clear()
        self._slices.stop()
        subscriber = self._subscriber.close()
        await self._commands.close()
        await subscriber
        self._release()
        self._questions.close()
