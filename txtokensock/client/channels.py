"""
Which channels are wanted, and which the server has confirmed.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..errors import CallTimeout, ClientClosed, ConnectionLost, SubscriptionEnded
from ..messages.from_client import encode_subscribe, encode_unsubscribe
from ..messages.from_server import Subscribed, Unsubscribed
from ..support.waiters import Waiters
from .request import Request
from .request_queue import RequestQueue
from .subscription import Subscription

__all__ = ["Channels"]


class _State(Enum):
    """What the server has been told of a channel, on this connection."""

    OFF = "nothing"
    SUBSCRIBING = "_subscribe sent"
    ON = "subscribed"
    UNSUBSCRIBING = "_unsubscribe sent"


class _Channel:
    """One channel: the subscriptions to it, and whoever waits for the server."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = _State.OFF
        self.subscriptions: list[Subscription] = []
        self.subscribers: Waiters[None] = Waiters()
        self.leavers: Waiters[None] = Waiters()
        self.request: Deferred[Any] | None = None

    @property
    def wanted(self) -> bool:
        return bool(self.subscriptions)


class Channels:
    """
    Brings what the server does in line with what is wanted, one request a channel at a
    time, so that no notice can be taken for the answer to another request.

    :param reactor: for timeouts.
    :param request_queue: sends the requests.
    :param new_uuid: gives a uuid.
    :param timeout: seconds that a confirmation may take, time in the queue included.
    :param report: hears of subscriptions that end by themselves.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        request_queue: RequestQueue,
        new_uuid: Callable[[], str],
        timeout: float,
        report: Callable[[Exception], None],
    ) -> None:
        self._timeout = timeout
        self._reactor = reactor
        self._request_queue = request_queue
        self._new_uuid = new_uuid
        self._report = report
        self._channels: dict[str, _Channel] = {}
        self._connected = False

    def names(self) -> list[str]:
        """The channels that are wanted, in the order of subscribing."""
        return [channel.name for channel in self._channels.values() if channel.wanted]

    def subscriptions(self, name: str) -> list[Subscription]:
        """The subscriptions to a channel."""
        channel = self._channels.get(name)
        return channel.subscriptions[:] if channel is not None else []

    # -- what the user wants

    def subscribe(self, subscription: Subscription) -> Deferred[Subscription]:
        """
        :return: fires with ``subscription`` when the server has confirmed; see
            :meth:`TokenSocket.subscribe <txtokensock.TokenSocket.subscribe>`.
        """
        channel = self._channels.setdefault(subscription.channel, _Channel(subscription.channel))
        channel.subscriptions.append(subscription)
        if channel.state is _State.ON:
            return succeed(subscription)
        confirmed = channel.subscribers.wait()

        def timed_out(*_: object) -> Failure:
            # S3
            hint = "confirmation (a server without publish/subscribe gives none)"
            return self._timed_out("subscribe to", channel, hint)

        def failed(failure: Failure) -> Failure:
            # What becomes of taking it back concerns nobody.
            self.drop(subscription).addErrback(lambda _: None)
            return failure

        confirmed.addTimeout(self._timeout, self._reactor, timed_out)
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
        if channel is None:
            return succeed(None)
        if subscription in channel.subscriptions:
            channel.subscriptions.remove(subscription)
        return succeed(None) if channel.wanted else self._leave(channel)

    def unsubscribe(self, name: str) -> Deferred[None]:
        """End all subscriptions to a channel; see :meth:`drop`."""
        channel = self._channels.get(name)
        if channel is None:
            return succeed(None)
        self._end(channel, None, discard=True)
        return self._leave(channel)

    # -- connections

    def connected(self) -> None:
        """There is a connection, on which nothing has been asked for yet."""
        self._connected = True
        for channel in list(self._channels.values()):
            self._reconcile(channel)

    def disconnected(self) -> None:
        """The connection is gone, and with it everything that the server knew."""
        self._connected = False
        for channel in list(self._channels.values()):
            channel.state = _State.OFF
            channel.request = None
            channel.leavers.fire()
            self._reconcile(channel)

    def close(self, reason: ClientClosed, *, discard: bool) -> Callable[[], None]:
        """
        Nothing is wanted any more.

        :param discard: whether handlers are not to get what waits for them.
        :return: tells whoever waited, or iterates; they may subscribe anew.
        """
        self._connected = False
        channels, self._channels = self._channels, {}

        def end_all() -> None:
            for channel in channels.values():
                channel.state = _State.OFF
                channel.request = None
                channel.leavers.fire()
                channel.subscribers.fire(Failure(reason.again()))
                self._end(channel, None, discard=discard)

        return end_all

    # -- what the server says

    def deliver(self, name: str, message: Any) -> None:
        """A message came in."""
        channel = self._channels.get(name)
        if channel is not None:
            for subscription in channel.subscriptions[:]:
                subscription.deliver(message)

    def confirmed(self, notice: Subscribed) -> None:
        """The server subscribed us; where we did not ask, its messages are just messages."""
        channel = self._channels.get(notice.channel)
        if channel is not None and channel.state is _State.SUBSCRIBING:
            self._agreed(None, channel)

    def ended(self, notice: Unsubscribed) -> None:
        """The server unsubscribed us, because we asked or by itself."""
        channel = self._channels.get(notice.channel)
        if channel is None:
            return
        if channel.state is _State.UNSUBSCRIBING:
            self._agreed(None, channel)
        elif channel.state is _State.ON:
            channel.state = _State.OFF
            problem = SubscriptionEnded(f"the server ended the subscription to {channel.name!r}")
            self._end(channel, problem, discard=False)
            self._report(problem)

    # -- requests

    def _reconcile(self, channel: _Channel) -> None:
        """Ask the server for what is wanted, unless a request is under way."""
        if self._connected and channel.wanted and channel.state is _State.OFF:
            self._ask(channel, _State.SUBSCRIBING, "subscribe to", encode_subscribe)
        elif self._connected and not channel.wanted and channel.state is _State.ON:
            self._ask(channel, _State.UNSUBSCRIBING, "unsubscribe from", encode_unsubscribe)
        elif (
            not channel.wanted
            and channel.state is _State.OFF
            and self._channels.get(channel.name) is channel
        ):
            del self._channels[channel.name]

    def _ask(
        self, channel: _Channel, state: _State, verb: str, encode: Callable[[str, str], bytes]
    ) -> None:
        uuid = self._new_uuid()
        channel.state = state
        channel.request = self._request_queue.submit(
            Request(
                encode(channel.name, uuid),
                uuid,
                f"{verb} {channel.name!r}",
                channel_request=True,
            ),
            self._timeout,
        )
        channel.request.addCallbacks(
            self._agreed, self._refused, (channel,), errbackArgs=(channel,)
        )

    def _agreed(self, _: object, channel: _Channel) -> None:
        """
        The server did what was asked: it said so in a notice, in an answer, or in one
        after the other; the first settles it.
        """
        if channel.request is not None:
            request, channel.request = channel.request, None
            request.cancel()
        if channel.state is _State.SUBSCRIBING:
            channel.state = _State.ON
            # Whoever hears of it may ask for another change, and then others wait here.
            # again, before the server was told otherwise
            leavers = channel.leavers.take() if channel.wanted else Waiters[None]()
            channel.subscribers.fire()
            leavers.fire()
        else:
            channel.state = _State.OFF
            channel.leavers.fire()
        self._reconcile(channel)

    def _refused(self, failure: Failure, channel: _Channel) -> None:
        if failure.check(CancelledError, ConnectionLost, ClientClosed):
            return  # nobody's refusal: disconnected() and close() see to the rest
        channel.request = None
        if channel.state is _State.UNSUBSCRIBING:
            channel.state = _State.OFF
            channel.leavers.fire(failure)
        elif failure.check(CallTimeout) and len(channel.subscriptions) > len(channel.subscribers):
            self._unconfirmed(failure, channel)
        else:
            # A silent server may yet subscribe us, and then it must be told.
            channel.state = _State.ON if failure.check(CallTimeout) else _State.OFF
            # Those who wait are told by their Deferreds; others had been confirmed before.
            waiting = channel.subscribers.take()
            others = len(channel.subscriptions) > len(waiting)
            error: Any = failure.value
            self._end(channel, error, discard=False)
            if channel.state is _State.OFF:
                channel.leavers.fire()  # who left meanwhile has what they wanted
            waiting.fire(failure)
            if others:
                self._report(error)
        self._reconcile(channel)

    def _unconfirmed(self, failure: Failure, channel: _Channel) -> None:
        """
        On a new connection the server says nothing of what it had confirmed before: that is
        wanted as much as ever, so it is asked again.
        """
        error: Any = failure.value
        channel.state = _State.OFF
        channel.leavers.fire()
        channel.subscribers.fire(failure)  # who takes back what nobody had confirmed
        self._report(error)

    def _leave(self, channel: _Channel) -> Deferred[None]:
        """Nobody wants the channel any more."""
        channel.subscribers.fire(Failure(CancelledError()))
        wanted_again = channel.state is _State.ON and channel.wanted
        if channel.state is _State.OFF or wanted_again:
            self._reconcile(channel)
            return succeed(None)
        left = channel.leavers.wait()
        self._reconcile(channel)

        def timed_out(*_: object) -> Failure:
            return self._timed_out("unsubscribe from", channel)

        return left.addTimeout(self._timeout, self._reactor, timed_out)

    def _timed_out(
        self, verb: str, channel: _Channel, waited_for: str = "confirmation"
    ) -> Failure:
        sent = channel.state is not _State.OFF
        what = f"{verb} {channel.name!r}"
        return Failure(self._request_queue.timeout(what, self._timeout, sent, waited_for))

    def _end(self, channel: _Channel, reason: Exception | None, *, discard: bool) -> None:
        subscriptions, channel.subscriptions = channel.subscriptions, []
        for subscription in subscriptions:
            subscription.ended(reason, discard=discard)
        self._reconcile(channel)
