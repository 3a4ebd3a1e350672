"""
One channel's messages, for one rule: subscribed to for as long as it is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ...client.backoff import Backoff
from ...client.socket import TokenSocket
from ...client.subscription import Subscription
from ...errors import TokenSocketError
from ...support.timer import Pause

__all__ = ["DurableSubscription"]


class DurableSubscription:
    """
    :param take: called with each message; where it returns a Deferred, the next is taken
        when that has fired, and the socket is read no further once too many wait.
    :param backoff: between attempts to subscribe; a new connection ends the wait.
    :ivar problem: why the channel is not subscribed to, in one line, or None.
    """

    _log = Logger()

    def __init__(
        self,
        socket: TokenSocket,
        rule: str,
        channel: str,
        take: Callable[[Any], Deferred[None] | None],
        *,
        reactor: IReactorTime,
        backoff: Backoff,
    ) -> None:
        self.problem: str | None = None
        self._socket = socket
        self._rule = rule
        self._channel = channel
        self._take = take
        self._backoff = backoff
        self._stopping = False
        self._failures = 0
        self._pause = Pause(reactor)
        self._subscribing: Deferred[Subscription] | None = None
        self._subscription: Subscription | None = None
        self._ended: Deferred[None] | None = None

    def start(self) -> None:
        """Subscribe, now or when there is a connection."""
        self._ended = Deferred.fromCoroutine(self._run())

    def stop(self) -> Deferred[None]:
        """
        Take what has come in, then nothing more.

        :return: fires when that is done.
        """
        self._stopping = True
        self.connected()
        if self._subscribing is not None:
            self._subscribing.cancel()
        if self._subscription is not None:
            # What becomes of it concerns nobody: the messages stop here and now.
            self._subscription.unsubscribe().addErrback(lambda _: None)
        return self._ended or succeed(None)

    def connected(self) -> None:
        """There is a connection: what waits to subscribe waits no more."""
        self._pause.end()

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._listen()
            except CancelledError:
                self._fails("the subscription was withdrawn")
            except TokenSocketError as problem:
                self._fails(str(problem))
            except Exception:
                self._log.failure(
                    "messages of {channel} cannot be taken for {rule}",
                    channel=self._channel,
                    rule=self._rule,
                )
                self._fails("an error in the bridge")
            if not self._stopping:
                self._failures += 1
                await self._pause.wait(self._backoff.delay(self._failures))

    async def _listen(self) -> None:
        self._subscribing = self._socket.subscribe(self._channel)
        try:
            self._subscription = await self._subscribing
        finally:
            self._subscribing = None
        self._failures = 0
        if self.problem is not None:
            self.problem = None
            self._log.info(
                "{rule} is subscribed to {channel}",
                event="webhooks.subscribed",
                rule=self._rule,
                channel=self._channel,
            )
        try:
            async for message in self._subscription:
                room = self._take(message)
                if room is not None:
                    await room
        finally:
            subscription, self._subscription = self._subscription, None
            subscription.unsubscribe().addErrback(lambda _: None)
        self._fails("the subscription ended")

    def _fails(self, problem: str) -> None:
        if self._stopping:
            return
        if self.problem is None:
            self._log.warn(
                "{rule} is not subscribed to {channel}: {problem}",
                event="webhooks.not_subscribed",
                rule=self._rule,
                channel=self._channel,
                problem=problem,
            )
        self.problem = problem
