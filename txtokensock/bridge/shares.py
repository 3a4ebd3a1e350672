"""
What each caller of the bridge may use of the one connection upstream (no I/O).
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredLock, fail
from twisted.python.failure import Failure

from ..errors import CallTimeout
from ..messages.announced_limits import SIZE_BITS, AnnouncedLimits
from ..support.rate_limit import RateLimit
from .error_table import ShareExceeded

__all__ = ["Share", "Shares"]

T = TypeVar("T")

_ACTIVE = 10.0
"""Seconds for which a caller counts after it did something."""

_USABLE = 0.9
"""Of the server's rate: the rest is for pings, and for what arrives late and all at once."""

_LARGE = 64 * 1024
"""Bytes; more takes the bridge and the server so long that others would notice many."""


class Shares:
    """
    The server's limits hold for the bridge, whoever its callers are: one of them must not
    use up what all have.  Each has an equal share of the rate, the calls and the channels,
    among those that did something in the last ten seconds, or have a call under way, and at
    least 1.  For the channels, who listens to one counts as well: a caller who has more than
    that is made to give way to one who has less.  What a server does not announce is not
    shared.

    :param limits: gives those of the present connection, or None; each connection has an
        object of its own.
    :param seconds: the time.
    :param call_timeout: seconds that the server may take for a call.  For so long, one that
        was sent and then given up is under way there, and counts.
    """

    def __init__(
        self,
        limits: Callable[[], AnnouncedLimits | None],
        seconds: Callable[[], float],
        call_timeout: float = 60.0,
    ) -> None:
        self._limits = limits
        self.seconds = seconds
        self.call_timeout = call_timeout
        self._active: OrderedDict[str, Share] = OrderedDict()
        self._resting: OrderedDict[str, Share] = OrderedDict()
        self.limits: AnnouncedLimits | None = None
        self.rate: RateLimit | None = None
        self._channels: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many callers count at present."""
        self._sort_out(self.seconds())
        return len(self._active)

    def of(self, caller: str) -> Share:
        """The share of a caller, who is active now."""
        now = self.seconds()
        self._sort_out(now)
        share = self._active.get(caller) or self._resting.pop(caller, None) or Share(self)
        share.seen = now
        self._active[caller] = share
        self._active.move_to_end(caller)
        return share

    def hold(self, channels: Collection[str]) -> None:
        """The configuration asks for these channels: they are nobody's share, but taken."""
        self._channels.update(channels)

    def give(self, channels: Collection[str]) -> None:
        """They are not subscribed to any more, see :meth:`hold`."""
        _less(self._channels, channels)

    def part(self, limit: float) -> float:
        """How much of it one caller may have."""
        return max(1.0, limit / max(1, len(self._active)))

    def part_of_channels(self) -> float:
        """How many one caller may listen to."""
        limit = self.look().channels
        if limit is None:
            return math.inf
        listeners = sum(1 for share in self._resting.values() if share.channels)
        return max(1, limit // max(1, len(self._active) + listeners))

    def make_room(self, channels: Collection[str]) -> int:
        """
        See to it that the server takes these as well.

        :return: how many of them nobody listens to yet.
        :raises ShareExceeded: if there is no room, and nobody has to give way.
        """
        limit = self.look().channels
        while True:
            new = sum(channel not in self._channels for channel in channels)
            if not new or limit is None or len(self._channels) + new <= limit:
                return new
            most = self.part_of_channels()
            everybody = [*self._active.values(), *self._resting.values()]
            everybody.sort(key=lambda share: -len(share.channels))
            if not any(len(one.channels) > most and one.give_way() for one in everybody):
                raise ShareExceeded(
                    f"all callers have {len(self._channels)} of the server's {limit} channels"
                )

    def look(self) -> AnnouncedLimits:
        """Take note of the limits of the present connection."""
        limits = self._limits()
        if limits is not self.limits:
            self.limits = limits
            self.rate = None if limits is None else _new_rate(limits, self.seconds(), _USABLE)
            if self.rate is not None:  # they were subscribed to as soon as it was there
                self.rate.credit(-len(self._channels))
        return limits or _NOTHING

    def _sort_out(self, now: float) -> None:
        """Let those rest that were not active lately, and forget whose rate is as new."""
        for caller, share in list(_before(self._active, now - _ACTIVE)):
            if share.calls > 0:
                share.seen = now
                self._active.move_to_end(caller)
            else:
                self._resting[caller] = self._active.pop(caller)
        rate = _rate(self.limits or _NOTHING)
        refill = 0.0 if rate is None else rate[1] / rate[0]
        for caller, share in list(_before(self._resting, now - max(_ACTIVE, refill))):
            if share.channels:
                share.seen = now
                self._resting.move_to_end(caller)
            else:
                del self._resting[caller]


_NOTHING = AnnouncedLimits()


class Share:
    """
    What one caller uses, and how much more it may.

    :ivar channels: how often it listens to each.
    :ivar seen: when it was active.
    """

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._limits: AnnouncedLimits | None = None
        self._rate: RateLimit | None = None
        self._calls = 0
        self._ends: dict[Callable[[], bool], None] = {}
        self._large = DeferredLock()
        self._given_up: deque[tuple[float, AnnouncedLimits | None]] = deque()
        self.channels: Counter[str] = Counter()
        self.seen = 0.0

    @property
    def calls(self) -> int:
        """How many calls are under way, here or at the server."""
        now, limits = self._shares.seconds(), self._shares.limits
        while self._given_up and (
            self._given_up[0][0] <= now or self._given_up[0][1] is not limits
        ):
            self._given_up.popleft()
        return self._calls + len(self._given_up)

    def call(self, send: Callable[[], Deferred[T]], size: int = 0) -> Deferred[T]:
        """
        Send one request upstream.

        :param send: sends it; its Deferred fires when the request is over.
        :param size: bytes of it, about.
        :return: that of ``send``; fails with :class:`.ShareExceeded`, and sends nothing,
            where the caller has used up its share.
        """
        try:
            limit = self._shares.look().calls
            if limit is not None and self.calls >= (most := int(self._shares.part(limit))):
                raise _exceeded("calls", f"{most} calls of this caller are under way")
            self._spend(1 + (size >> SIZE_BITS))
        except ShareExceeded as problem:
            return fail(problem)
        self._calls += 1
        over = self._shares.seconds() + self._shares.call_timeout
        return send().addBoth(self._called, (over, self._shares.limits))

    def call_in_turn(self, send: Callable[[], Deferred[T]], size: int) -> Deferred[T]:
        """
        The same for a request that is over as soon as the server has it.  Large ones of a caller
        are sent one after the other, so that those of others wait behind one of them at most.
        """
        if size <= _LARGE:
            return self.call(send, size)
        return self._large.run(self.call, send, size)

    def _called(self, outcome: Any, server: tuple[float, AnnouncedLimits | None]) -> Any:
        self._calls -= 1
        if isinstance(outcome, Failure) and _may_go_on(outcome.value):
            self._given_up.append(server)
        return outcome

    def take(self, channels: Collection[str]) -> None:
        """
        Subscribe to channels, each once; :meth:`give` them back.

        :raises ShareExceeded: if these are more than its share, or than there are left.
        """
        most = self._shares.part_of_channels()
        if len(self.channels.keys() | channels) > max(most, len(self.channels)):
            raise _exceeded("channels", f"this caller may listen to {most:.0f} channels")
        self._spend(2 * self._shares.make_room(channels))  # they are unsubscribed later
        self.channels.update(channels)
        self._shares.hold(channels)

    def give(self, channels: Collection[str]) -> None:
        """Give back what was taken."""
        _less(self.channels, channels)
        self._shares.give(channels)

    @contextmanager
    def listening(self, channels: Collection[str], end: Callable[[], bool]) -> Iterator[None]:
        """
        Listen to channels for a while.

        :param end: called where the caller has to give way: ends it at once, or returns False.
        :raises ShareExceeded: see :meth:`take`.
        """
        self.take(channels)
        self._ends[end] = None
        try:
            yield
        finally:
            self._ends.pop(end, None)
            self.give(channels)

    def give_way(self) -> bool:
        """:return: whether it could end the latest that listens; each is ended once."""
        for end in reversed(list(self._ends)):
            if end():
                self._ends.pop(end, None)
                return True
        return False

    def _spend(self, cost: int) -> None:
        """:raises ShareExceeded: if so many messages are more than the rate allows."""
        shares, limits = self._shares, self._shares.look()
        now = shares.seconds()
        if limits is not self._limits:  # another connection, whose rate is as new
            self._limits, self._rate = limits, _new_rate(limits, now)
        rate = _rate(limits)
        if self._rate is None or shares.rate is None or rate is None or not cost:
            return
        self._rate.change(shares.part(rate[0]), shares.part(rate[1]))
        # What costs more than is allowed at once is allowed once all of that is there.
        if not self._rate.borrow(now, cost):
            raise _exceeded("messages_per_second", "this caller sends too much")
        if not shares.rate.borrow(now, cost):
            self._rate.credit(cost)
            raise ShareExceeded("all callers send as much as the server's rate allows")


def _may_go_on(problem: BaseException | None) -> bool:
    if isinstance(problem, CallTimeout):
        return problem.may_have_run
    return isinstance(problem, CancelledError)


def _rate(limits: AnnouncedLimits) -> tuple[float, float] | None:
    """Messages per second, and at once."""
    per_second, burst = limits.messages_per_second, limits.burst
    return None if per_second is None or burst is None else (per_second, burst)


def _new_rate(limits: AnnouncedLimits, now: float, part: float = 1.0) -> RateLimit | None:
    rate = _rate(limits)
    return None if rate is None else RateLimit(rate[0] * part, max(1.0, rate[1] * part), now)


def _before(shares: OrderedDict[str, Share], time: float) -> Iterator[tuple[str, Share]]:
    """Those that were seen last before a time; the order is that of the times."""
    for caller, share in shares.items():
        if share.seen > time:
            return
        yield caller, share


def _exceeded(limit: str, what: str) -> ShareExceeded:
    return ShareExceeded(f"{what}: more than its share of the server's limit {limit}")


def _less(counter: Counter[str], channels: Collection[str]) -> None:
    counter.subtract(channels)
    for channel in channels:
        if not counter[channel]:
            del counter[channel]
