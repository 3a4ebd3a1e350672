"""
Which channels are wanted, and which the server has confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..errors import (
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    InvalidChannel,
    SubscriptionEnded,
)
from ..messages.from_client import encode_subscribe, encode_unsubscribe
from ..messages.from_server import Subscribed, Unsubscribed
from ..support.timeouts import add_deadline
from ..support.waiters import Waiters
from .channel_state import ChannelState, State
from .gap import Gap
from .request import Request
from .request_queue import RequestQueue
from .subscription import Subscription

__all__ = ["Channels"]


class Channels:
    """
    Brings what the server does in line with what is wanted, one request a channel at a
    time, so that no notice can be taken for the answer to another request.

    :param reactor: for timeouts.
    :param request_queue: sends the requests.
    :param new_uuid: gives a uuid.
    :param timeout: seconds that a confirmation may take, time in the queue included.
    :param report: called with subscriptions that end by themselves.
    :param missed: called with each gap of a channel.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        request_queue: RequestQueue,
        new_uuid: Callable[[], str],
        timeout: float,
        report: Callable[[Exception], None],
        missed: Callable[[Gap], object],
    ) -> None:
        self._timeout = timeout
        self._reactor = reactor
        self._request_queue = request_queue
        self._new_uuid = new_uuid
        self._report = report
        self._missed = missed
        self._channels: dict[str, ChannelState] = {}
        self._connected = False
        self._crowded = False  # some wait until others have ended

    def names(self) -> list[str]:
        """The channels that are wanted, in the order of subscribing."""
        return [channel.name for channel in self._channels.values() if channel.wanted]

    def subscriptions(self, name: str) -> list[Subscription]:
        """The subscriptions to a channel."""
        channel = self._channels.get(name)
        return list(channel.subscriptions) if channel is not None else []

    # -- what the user wants

    def subscribe(self, subscription: Subscription) -> Deferred[Subscription]:
        """
        :return: fires with ``subscription`` when the server has confirmed; see
            :meth:`TokenSocket.subscribe <txtokensock.TokenSocket.subscribe>`.
        """
        channel = self._channels.get(subscription.channel)
        if channel is None:
            channel = ChannelState(subscription.channel, self._reactor, self._ask_again)
            self._channels[subscription.channel] = channel
        channel.subscriptions[subscription] = None
        if channel.state is State.ON:
            subscription.confirm(self._reactor.seconds())
            return succeed(subscription)
        confirmed = subscription.confirmation.wait()

        def timed_out(*_: object) -> Failure:
            # node-token-sockjs without a pubsubClient answers no such request at all.
            hint = "confirmation (a server without publish/subscribe gives none)"
            return self._timed_out("subscribe to", channel, hint)

        def failed(failure: Failure) -> Failure:
            # What becomes of taking it back concerns nobody.
            self.drop(subscription).addErrback(lambda _: None)
            return failure

        if not subscription.persistent:
            add_deadline(confirmed, self._timeout, self._reactor, timed_out)
        channel.stop_waiting()
        self._reconcile(channel)
        return confirmed.addCallbacks(lambda _: subscription, failed)

    def drop(self, subscription: Subscription) -> Deferred[None]:
        """
        End one subscription.

        :return: fires when the server has confirmed, at once where other subscriptions
            still want the channel, or where nothing had been asked of the server.
        """
        subscription.ended(None, discard=True)  # which may deliver what was held back, to others
        channel = self._channels.get(subscription.channel)
        if channel is not None:
            channel.subscriptions.pop(subscription, None)
        subscription.confirmation.fire(Failure(CancelledError()))
        if channel is None or channel.wanted:
            return succeed(None)
        return self._leave(channel)

    def unsubscribe(self, name: str) -> Deferred[None]:
        """End all subscriptions to a channel; see :meth:`drop`."""
        channel = self._channels.get(name)
        if channel is None:
            return succeed(None)
        waiting = _take_waiting(channel.subscriptions)
        self._end(channel, None, discard=True)
        _fire(waiting, Failure(CancelledError()))
        return self._leave(channel)

    # -- connections

    def connected(self) -> None:
        """There is a connection, on which nothing has been asked for yet."""
        self._connected = True
        for channel in list(self._channels.values()):
            self._reconcile(channel)

    def disconnected(self, reason: Exception, since: float) -> Callable[[], None]:
        """
        The connection is gone, and with it everything that the server knew.

        :param since: when anything was received for the last time.
        :return: tells the subscriptions that had been confirmed, which is to be done when
            everything else knows of the loss.
        """
        self._connected = False
        lost: list[Subscription] = []
        for channel in list(self._channels.values()):
            channel.lose()
            lost += [one for one in channel.subscriptions if one.lose(since)]
            channel.leavers.fire()

        def tell() -> None:
            for subscription in lost:
                subscription.tell(reason)

        return tell

    def close(self, reason: ClientClosed, *, discard: bool) -> Callable[[], None]:
        """
        Nothing is wanted any more.

        :param discard: whether handlers are not to get what waits for them.
        :return: tells those who wait or iterate; they may subscribe again.
        """
        self._connected = False
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.lose()

        def end_all() -> None:
            for name, channel in channels.items():
                channel.leavers.fire()
                closed = reason.copy(f"subscribe to {name!r}")
                _fire(_take_waiting(channel.subscriptions), Failure(closed))
                self._end(channel, None, discard=discard)

        return end_all

    # -- what the server says

    def deliver(self, name: str, message: Any) -> None:
        """A message came in."""
        channel = self._channels.get(name)
        if channel is not None:
            for subscription in tuple(channel.subscriptions):
                subscription.deliver(message)

    def confirmed(self, notice: Subscribed) -> None:
        """The server subscribed us; where we did not ask, its messages are just messages."""
        channel = self._channels.get(notice.channel)
        if channel is not None and channel.state is State.SUBSCRIBING:
            self._agreed(None, channel)
        elif channel is not None and channel.state is State.ON and notice.gap is not None:
            now = self._reactor.seconds()
            gap = Gap(channel.name, now - notice.gap, now)
            for subscription in tuple(channel.subscriptions):
                subscription.miss(gap)
            self._missed(gap)

    def ended(self, notice: Unsubscribed) -> None:
        """The server unsubscribed us, because we asked or by itself."""
        channel = self._channels.get(notice.channel)
        if channel is None:
            return
        if channel.state is State.UNSUBSCRIBING:
            self._agreed(None, channel)
        elif channel.state is State.ON:
            problem = SubscriptionEnded(f"the server ended the subscription to {channel.name!r}")
            self._not_subscribed(Failure(problem), channel)

    # -- requests

    def _reconcile(self, channel: ChannelState) -> None:
        """Ask the server for what is wanted, unless a request is under way."""
        if self._connected and channel.wanted and channel.state is State.OFF:
            self._ask(channel, State.SUBSCRIBING, "subscribe to", encode_subscribe)
        elif self._connected and not channel.wanted and channel.state is State.ON:
            self._ask(channel, State.UNSUBSCRIBING, "unsubscribe from", encode_unsubscribe)
        elif (
            not channel.wanted
            and channel.state is State.OFF
            and self._channels.get(channel.name) is channel
        ):
            del self._channels[channel.name]

    def _ask(
        self, channel: ChannelState, state: State, verb: str, encode: Callable[[str, str], bytes]
    ) -> None:
        uuid = self._new_uuid()
        outcome: Deferred[Any] | None = None
        if state is State.SUBSCRIBING:
            try:
                if not self._has_room():
                    return
            except InvalidChannel as problem:
                outcome = fail(problem)
        channel.state = state
        request = Request(
            encode(channel.name, uuid),
            uuid,
            verb,
            channel.name,
            channel=channel.name,
            channel_request=True,
        )
        channel.request = outcome or self._request_queue.submit(request, self._timeout)
        channel.request.addCallbacks(
            self._agreed, self._refused, (channel,), errbackArgs=(channel,)
        )

    def _has_room(self) -> bool:
        """
        Whether the server takes one more channel now; where it may when another one has ended,
        that is waited for.

        :raises InvalidChannel: if it takes no more.
        """
        limits = self._request_queue.limits
        most = None if limits is None else limits.channels
        if most is None or len(self._channels) <= most:
            return True
        wanted = ending = 0
        for one in self._channels.values():
            there = one.state in (State.SUBSCRIBING, State.ON)
            wanted += there and one.wanted
            ending += one.state is State.UNSUBSCRIBING or (there and not one.wanted)
        if wanted >= most:
            text = f"the server's limit channels is {most}: that many are subscribed to"
            raise InvalidChannel(text)
        self._crowded = wanted + ending >= most
        return not self._crowded

    def _one_has_ended(self) -> None:
        """There may be room for those who wait for it."""
        if self._crowded:
            self._crowded = False
            for channel in list(self._channels.values()):
                if channel.wanted:
                    self._reconcile(channel)

    def _agreed(self, _: object, channel: ChannelState) -> None:
        """
        The server did what was asked: it said so in a notice, in an answer, or in one
        after the other; the first settles it.
        """
        if channel.request is not None:
            request, channel.request = channel.request, None
            request.cancel()
        if channel.state is State.SUBSCRIBING:
            channel.state = State.ON
            channel.failures = 0
            # Its callbacks may ask for another change, and then others wait here.
            # Who left is done where the channel is wanted again: the server need not be told.
            leavers = channel.leavers.take() if channel.wanted else Waiters[None]()
            waiting = _take_waiting(channel.subscriptions)
            now = self._reactor.seconds()
            gaps = [one.confirm(now) for one in tuple(channel.subscriptions)]
            _fire(waiting)
            leavers.fire()
            missed = [gap for gap in gaps if gap is not None]
            if missed:
                self._missed(min(missed, key=lambda gap: gap.since))
        else:
            channel.state = State.OFF
            channel.doubtful = False
            channel.leavers.fire()
            self._one_has_ended()
        self._reconcile(channel)

    def _refused(self, failure: Failure, channel: ChannelState) -> None:
        if failure.check(CancelledError, ConnectionLost, ClientClosed):
            return  # nobody's refusal: disconnected() and close() see to the rest
        channel.request = None
        if channel.state is State.UNSUBSCRIBING:
            channel.state = State.OFF
            channel.leavers.fire(failure)
            self._reconcile(channel)
            self._one_has_ended()
        else:
            self._not_subscribed(failure, channel)

    def _not_subscribed(self, failure: Failure, channel: ChannelState) -> None:
        """
        The server does not confirm, or ended what it had confirmed: each subscription says
        whether it ends with that, and when the server is to be asked again otherwise.
        """
        error: Any = failure.value
        channel.failures += 1
        if not failure.check(SubscriptionEnded):  # which a request on its way may undo
            channel.doubtful = failure.check(CallTimeout) is not None
        channel.state = State.WAITING
        waits = {
            one: one.wait_after(failure, channel.failures) for one in tuple(channel.subscriptions)
        }
        ending = [one for one, wait in waits.items() if wait is None]
        for one in ending:
            channel.subscriptions.pop(one, None)
        if not channel.wanted:
            channel.stop_waiting()
        untold = any(not one.hears(ends=wait is None) for one, wait in waits.items())
        waiting = _take_waiting(ending)
        for one in ending:
            one.ended(error, discard=False)
        if channel.state is not State.ON:
            channel.leavers.fire()  # who left meanwhile has what they wanted
        _fire(waiting, failure)
        for one in waits:
            one.lose(self._reactor.seconds())
            one.tell(error)
        if untold:
            self._report(error)
        self._wait(channel, waits)

    def _wait(self, channel: ChannelState, waits: dict[Subscription, float | None]) -> None:
        """Wait for as long as the most impatient one, unless somebody has asked again."""
        if channel.state is State.WAITING:
            wait = min((waits.get(one) or 0.0 for one in channel.subscriptions), default=0.0)
            if wait:
                channel.wait(wait)
            else:
                channel.state = State.OFF
        self._reconcile(channel)
        self._one_has_ended()

    def _ask_again(self, channel: ChannelState) -> None:
        channel.stop_waiting()
        self._reconcile(channel)

    def _leave(self, channel: ChannelState) -> Deferred[None]:
        """Nobody wants the channel any more."""
        channel.stop_waiting()
        wanted_again = channel.state is State.ON and channel.wanted
        if channel.state is State.OFF or wanted_again:
            self._reconcile(channel)
            return succeed(None)
        left = channel.leavers.wait()
        self._reconcile(channel)

        def timed_out(*_: object) -> Failure:
            return self._timed_out("unsubscribe from", channel)

        return add_deadline(left, self._timeout, self._reactor, timed_out)

    def _timed_out(
        self, verb: str, channel: ChannelState, waited_for: str = "confirmation"
    ) -> Failure:
        sent = channel.state not in (State.OFF, State.WAITING)
        what = f"{verb} {channel.name!r}"
        return Failure(self._request_queue.timeout(what, self._timeout, sent, waited_for))

    def _end(self, channel: ChannelState, reason: Exception | None, *, discard: bool) -> None:
        subscriptions, channel.subscriptions = channel.subscriptions, {}
        for subscription in subscriptions:
            subscription.ended(reason, discard=discard)
        self._reconcile(channel)


def _take_waiting(subscriptions: Iterable[Subscription]) -> list[Waiters[None]]:
    """Who waits for the confirmation of these, and is to be told in a later step."""
    return [subscription.confirmation.take() for subscription in subscriptions]


def _fire(waiting: Iterable[Waiters[None]], outcome: Any = None) -> None:
    for waiters in waiting:
        waiters.fire(outcome)
