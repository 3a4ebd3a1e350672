"""
A subscription that was allowed for a time only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from ..messages.from_server import encode_unsubscribed
from ..support.timer import Timer
from ..support.user_functions import cancel_user_function
from .hooks import Refused
from .keyed_queue import Place
from .peer import Peer
from .server_context import ServerContext

__all__ = ["Renewal"]


class Renewal:
    """
    Asks the ``subscribe`` hooks again when the time is over for which they have allowed a
    subscription: they allow it once more, or the peer is unsubscribed and told so.

    :param context: what the server's peers share.
    :param peer: who is subscribed.
    :param channel: to what.
    :param enter: gives a place among the peer's own requests for that channel.
    :param seconds: for how long the hooks have allowed it.
    """

    def __init__(
        self,
        context: ServerContext,
        peer: Peer,
        channel: str,
        enter: Callable[[str], Place],
        seconds: float,
    ) -> None:
        self._context = context
        self._peer = peer
        self._channel = channel
        self._enter = enter
        self._ended = False
        self._asking: Deferred[Any] | None = None
        # Many subscriptions may be due at once, as many as had begun at once.
        self._timer = Timer(context.reactor, partial(context.slices.call, self._ask))
        self._timer.start(seconds)

    def cancel(self) -> None:
        """The subscription has ended, or another renewal sees to it: ask no more."""
        self._ended = True
        self._timer.stop()
        asking, self._asking = self._asking, None
        if asking is not None:
            cancel_user_function(asking)

    def _ask(self) -> None:
        if not self._ended:
            asking = Deferred.fromCoroutine(self._renew(self._enter(self._channel)))
            self._asking = asking.addErrback(lambda failure: failure.trap(CancelledError))

    async def _renew(self, place: Place) -> None:
        hub = self._context.hub
        try:
            await place.wait()
            seconds = await self._context.hooks.ask("subscribe", self._peer, self._channel)
        except Refused:
            self._asking = None  # the end of the subscription must not cancel this
            hub.unsubscribe(self._peer, self._channel)
            hub.tell(self._peer, encode_unsubscribed(self._channel))
        else:
            if seconds is not None and not self._ended:
                self._timer.start(seconds)
        finally:
            place.leave()
