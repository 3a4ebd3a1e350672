"""
Takes the messages of one channel for one rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger

from ...client.socket import TokenSocket
from ...client.subscription import Subscription
from ...errors import CallTimeout, PeerError, TokenSocketError
from ...support.backoff import RetryPolicy

__all__ = ["ChannelReader"]


@define(eq=False, repr=False)
class ChannelReader:
    """
    :param take: called with each message; where it returns a Deferred, the next is taken
        when that has fired, and the socket is read no further once too many wait.
    :param retry: when to subscribe again after a failure.
    :ivar problem: why the channel is not subscribed to, in one line, or None.
    """

    _log = Logger()

    _socket: TokenSocket
    _rule: str
    _channel: str
    _take: Callable[[Any], Deferred[None] | None]
    _retry: RetryPolicy
    problem: str | None = field(init=False, default=None)
    _subscribing: Deferred[Subscription] | None = field(init=False, default=None)
    _subscription: Subscription | None = field(init=False, default=None)
    _ended: Deferred[None] = field(init=False, factory=partial(succeed, None))

    def start(self) -> None:
        """Subscribe, now or when there is a connection, and take what comes."""
        self._subscribing = self._socket.subscribe(
            self._channel, retry=self._retry, on_confirmation=self._notice
        )
        self._ended = Deferred.fromCoroutine(self._read(self._subscribing))

    def stop(self) -> Deferred[None]:
        """
        Take what has come in, then nothing more.

        :return: fires when that is done.
        """
        if self._subscription is not None:
            # What becomes of it concerns nobody: the messages stop here and now.
            self._subscription.unsubscribe().addErrback(lambda _: None)
        elif self._subscribing is not None:
            self._subscribing.cancel()
        return self._ended

    async def _read(self, subscribing: Deferred[Subscription]) -> None:
        try:
            self._subscription = await subscribing
        except (TokenSocketError, CancelledError):
            return  # stopped, or the socket is
        async for message in self._subscription:
            try:
                room = self._take(message)
                if room is not None:
                    await room
            except Exception:
                self._log.failure(
                    "a message of {channel} cannot be taken for {rule}",
                    event="webhooks.failed",
                    channel=self._channel,
                    rule=self._rule,
                )

    def _notice(self, _: Subscription, error: Exception | None) -> None:
        """A lost connection is the upstream's problem, not this channel's."""
        if error is None and self.problem is not None:
            self.problem = None
            self._log.info(
                "{rule} is subscribed to {channel}",
                event="webhooks.subscribed",
                rule=self._rule,
                channel=self._channel,
            )
        elif isinstance(error, PeerError | CallTimeout):
            if self.problem is None:
                self._log.warn(
                    "{rule} is not subscribed to {channel}: {problem}",
                    event="webhooks.not_subscribed",
                    rule=self._rule,
                    channel=self._channel,
                    problem=str(error),
                )
            self.problem = str(error)
