"""
One channel whose messages are forwarded, and on which others' are published.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...client.socket import TokenSocket
from ...client.subscription import Subscription
from ...errors import (
    CallTimeout,
    ConnectionLost,
    PeerError,
    UsageError,
)
from ...support.backoff import RetryPolicy
from ..arguments import size_of
from ..capacity import Capacity
from ..shares import Shares
from .echo import Echoes, Expected
from .rule_counters import RuleCounters

__all__ = ["ForwardedChannel"]


@define(eq=False, repr=False)
class _Message:
    """One message on its way to the channel."""

    rule: str
    data: Any
    caller: str
    expected: Expected | None = None
    sending: Deferred[None] | None = None
    size: int = 0  # while it waits


@define(eq=False, repr=False)
class ForwardedChannel:
    """
    Nothing is published before the server has confirmed the subscription on the present
    connection: only then it is sure that what is published comes back, and comes back once.

    :param name: the channel's.
    :param socket: the upstream.
    :param shares: of it.
    :param rule_counters: counts the outcomes.
    :param room: for messages on their way to channels.
    :param room_bytes: for those of them that wait here.
    :param echoes: of this channel.
    :param deliver: called with the channel's name and each message that is not ours.
    :param retry: when to subscribe again after a failure.
    """

    _log = Logger()

    name: str
    _socket: TokenSocket
    _shares: Shares
    _rule_counters: RuleCounters
    _room: Capacity
    _room_bytes: Capacity
    _echoes: Echoes
    _deliver: Callable[[str, Any], object]
    _retry: RetryPolicy
    _missing: int = field(init=False, default=0)
    _confirmed: bool = field(init=False, default=False)
    _subscribing: Deferred[Any] | None = field(init=False, default=None)
    _waiting: deque[_Message] = field(init=False, factory=deque)
    _sent: dict[_Message, None] = field(init=False, factory=dict)
    _held: bool = field(init=False, default=False)
    _stopped: bool = field(init=False, default=False)

    # -- the subscription

    def start(self) -> None:
        """Subscribe, for as long as it takes."""
        self._subscribing = self._socket.subscribe(
            self.name, self._received, retry=self._retry, on_confirmation=self._notice
        )
        self._subscribing.addErrback(lambda _: None)

    def _notice(self, _: Subscription, error: Exception | None) -> None:
        self._confirmed = error is None
        if self._stopped:
            return
        if error is None:
            self._flush()
        elif isinstance(error, PeerError | CallTimeout):
            self._rule_counters.refused(f"channel:{self.name}", str(error))
        else:
            # The connection is gone: nothing that was sent on it comes back, and what the
            # socket has not sent waits here for the next confirmation.
            self._take_back()
            self._echoes.clear()

    def look(self) -> None:
        """Say so if messages of ours did not come back."""
        if self._echoes.missing != self._missing:
            self._missing = self._echoes.missing
            self._log.warn(
                "{channel}: {count} messages of ours never came back from the server: it "
                "refuses them, or changes them, or keeps them from us",
                event="wamp.no_echo",
                channel=self.name,
                count=self._missing,
            )

    def _take_back(self) -> None:
        unsent, self._sent = self._sent, {}
        for message in unsent:
            if message.sending is not None:
                message.sending.cancel()
            self._measure(message)  # the socket had no more of them than it may
        self._waiting.extendleft(reversed(unsent))

    def _measure(self, message: _Message) -> bool:
        size = size_of(message.data)
        if not self._room_bytes.take(size):
            return False
        message.size = size
        return True

    def _received(self, data: Any) -> None:
        if not self._stopped and not self._echoes.take(data):
            self._deliver(self.name, data)

    # -- publishing

    def hold(self) -> None:
        """Publish nothing until :meth:`resume`: it may be another bridge's turn."""
        self._held = True
        if not self._socket.connected:
            self._take_back()

    def resume(self) -> None:
        """Publish what has waited since :meth:`hold`, and what comes from now on."""
        self._held = False
        self._flush()

    def publish(self, rule: str, data: Any, caller: str) -> None:
        """A message that was taken from a topic, and for which there is room."""
        message = _Message(rule, data, caller)
        if not self._sends and not self._measure(message):
            self._room.give()
            self._rule_counters.dropped(rule, f"{self._room_bytes.limit} bytes wait upstream")
            return
        self._waiting.append(message)
        self._flush()

    @property
    def _sends(self) -> bool:
        return self._confirmed and not self._held

    def _flush(self) -> None:
        while self._waiting and self._sends:
            message = self._waiting.popleft()
            self._room_bytes.give(message.size)
            message.size = 0
            self._send(message)

    def _send(self, message: _Message) -> None:
        try:
            message.expected = self._echoes.expect(message.data)
        except UsageError as problem:
            self._room.give()
            self._rule_counters.refused(message.rule, str(problem))
            return
        self._sent[message] = None
        message.sending = self._shares.of(message.caller).call(
            lambda: self._socket.publish(self.name, message.data),
            len(message.expected.forms[0]),
        )
        message.sending.addBoth(self._published, message)

    def _published(self, outcome: Any, message: _Message) -> None:
        if isinstance(outcome, Failure):
            problem = outcome.value
            may_have_run = (
                isinstance(problem, ConnectionLost | CallTimeout) and problem.may_have_run
            )
            if message.expected is not None and not may_have_run:
                self._echoes.forget(message.expected)
            if outcome.check(CancelledError):
                return  # taken back
        self._sent.pop(message, None)
        self._room.give()
        self._rule_counters.published(message.rule, outcome)

    # -- the end

    def stop(self, why: str) -> None:
        """Unsubscribe; what waits is lost."""
        if self._stopped:
            return
        self._stopped = True
        self._take_back()
        waiting, self._waiting = self._waiting, deque()
        self._room.give(len(waiting))
        for message in waiting:
            self._room_bytes.give(message.size)
            self._rule_counters.dropped(message.rule, why)
        if self._subscribing is not None:
            self._subscribing.cancel()  # which does nothing where it has fired
            self._subscribing.addCallback(lambda found: found and found.unsubscribe())
            self._subscribing.addErrback(lambda _: None)
