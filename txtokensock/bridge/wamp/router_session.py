"""
A session over a connection of our own: joins, and sees to it that the router lives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autobahn.wamp.types import CloseDetails, ComponentConfig
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from ...errors import InvalidOption, shorten
from ...web.tls.policy import explain
from ..config.wamp import WampConfig
from .challenge import signature
from .realm import JoinRefused, RealmLost
from .silence import Silence
from .wamp_session import WampSession

__all__ = ["RouterSession"]

_FOR_EVER = 1e8
"""Seconds, more than three years."""


class RouterSession(WampSession):
    """
    A session over a connection of our own.

    :param section: which realm to join, and how to authenticate.
    :param reactor: for deadlines.
    :ivar joined: fires when the realm is joined; fails with :class:`JoinRefused` or
        :class:`RealmLost`.
    """

    def __init__(self, section: WampConfig, reactor: Any) -> None:
        super().__init__(
            ComponentConfig(section.realm),
            reactor=reactor,
            request_timeout=section.request_timeout,
        )
        self._section = section
        self._pings = LoopingCall(self._ping)
        self._pings.clock = reactor
        self._problem: Exception | None = None
        self.lost = False
        self.on_lost: Callable[[Failure], object] = lambda _: None
        self.joined: Deferred[None] = Deferred()

    # -- from Autobahn

    def onConnect(self) -> None:
        who = self._section.authentication
        if who is None:
            self.join(self._section.realm)
        else:
            self.join(self._section.realm, authmethods=[who.method], authid=who.authid)

    def onChallenge(self, challenge: Any) -> str:
        who = self._section.authentication
        if who is None or challenge.method != who.method:
            raise InvalidOption(f"the router wants authentication by {challenge.method}")
        return signature(who, challenge.extra)

    def onUserError(self, fail: Any, msg: str) -> None:
        if self.joined.called:
            super().onUserError(fail, msg)
        else:
            self._problem = fail.value

    def onJoin(self, details: Any) -> None:
        if self.joined.called:
            self.abort()
            return
        self._pings.start(self._section.ping, now=False)
        self.joined.callback(None)

    def onLeave(self, details: Any) -> None:
        if self._problem is None and not self.joined.called:
            self._problem = JoinRefused(details.reason, details.message or "")
        elif self._problem is None and not self._is_our_end(details):
            why = shorten(f"{details.reason} {details.message or ''}".strip())
            self._problem = RealmLost(
                f"the router ended the session: {why}; events of topics are missing until the next"
            )
        super().onLeave(details)

    def _is_our_end(self, details: Any) -> bool:
        """Whether the router agrees to it, or has said nothing, as Autobahn then says for it."""
        return self._drop.running or details.reason == CloseDetails.REASON_TRANSPORT_LOST

    def drop(self, why: str) -> None:
        """End the connection at once, whatever the router does; that is why it is lost."""
        if self._problem is None:
            self._problem = RealmLost(f"dropped: {why}")
        super().drop(why)

    def _ping(self) -> Deferred[None]:
        """
        Ask the router for something: any answer, also a refusal, proves that it lives, and so
        does whatever else comes meanwhile.
        """
        seconds = self._section.ping_timeout
        silence = Silence(
            self._reactor,
            lambda: self.received,
            seconds,
            lambda: self.drop(f"no sign of life within {seconds:g} seconds"),
        )

        def over(_: object) -> None:
            silence.stop()

        # Its end comes with the session's, at the latest.
        asked = self.call("wamp.session.get", [self._session_id], {}, timeout=_FOR_EVER)
        return asked.addBoth(over)

    # -- from the wire

    def wire_lost(self, reason: Failure) -> None:
        """The connection is gone, or what is there is not a WAMP router."""
        if self.lost:
            return
        self.lost = True
        if self._pings.running:
            self._pings.stop()
        cause: Any = reason.value
        if self.joined.called:
            self.on_lost(Failure(RealmLost(explain(self._problem or cause))))
        else:
            text = f"the router closed the connection: {explain(cause)}"
            self.joined.errback(self._problem or RealmLost(text))
