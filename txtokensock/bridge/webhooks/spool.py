"""
The spool, as the reactor sees it: nothing here waits for a disk.

What is asked for in one go is done in one transaction, and while that runs, more
collects: a slow disk makes larger transactions, not a longer queue of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...errors import shorten
from ...support.timer import Timer
from ...support.waiters import Waiters
from . import spool_tables as store
from .database import Database
from .schema import Cursor
from .spool_tables import Delivery, SpoolLimits

__all__ = ["Spool"]

T = TypeVar("T")

_HOLD_MESSAGES = 1000
_HOLD_BYTES = 4 * 1024 * 1024
"""With that much on its way to the disk, whoever brings more is asked to wait."""

_MEMORY_MESSAGES = 10_000
_MEMORY_BYTES = 32 * 1024 * 1024
"""With that much, while the disk fails, what comes is lost."""

_BATCH = 1000
_STALL_SECONDS = 10.0
_RETRY_SECONDS = 1.0


@dataclass(slots=True)
class _Operation:
    """One thing to do in a transaction, and who waits for its result."""

    run: Callable[[Cursor], Any]
    done: Deferred[Any]
    size: int = 0
    rule: str | None = None  # of a message to append
    without_writing: Callable[[Cursor], Any] | None = None


@define(eq=False, repr=False)
class Spool:
    """
    :param database: where messages wait.
    :param reactor: for retries after a failure of the disk.
    :param committed: called after each transaction, with how many messages wait, by rule.
    :param dropped: called with a rule and a number, when so many of its messages are lost.
    :ivar problem: why nothing can be stored at present, in one line, or None.
    """

    _log = Logger()

    _database: Database
    _reactor: IReactorTime
    _committed: Callable[[dict[str, int]], None]
    _dropped: Callable[[str, int, str], None]
    problem: str | None = field(init=False, default=None)
    _appends: deque[_Operation] = field(init=False, factory=deque)
    _others: deque[_Operation] = field(init=False, factory=deque)
    _bytes: int = field(init=False, default=0)
    _running: list[_Operation] | None = field(init=False, default=None)
    _stall: Timer = field(init=False)
    _retry: Timer = field(init=False)
    _others_were_first: bool = field(init=False, default=False)
    _asked_for_totals: bool = field(init=False, default=False)
    _room: Waiters[None] = field(init=False, factory=Waiters)
    _idle: Waiters[None] = field(init=False, factory=Waiters)
    _closed: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._stall = Timer(self._reactor, self._stalled)
        self._retry = Timer(self._reactor, self._begin)

    # -- what goes in

    def append(self, delivery: Delivery, limits: SpoolLimits) -> None:
        """Store a message; nothing is done with it before it is stored."""
        size = len(delivery.body)
        full = len(self._appends) >= _MEMORY_MESSAGES or self._bytes + size > _MEMORY_BYTES
        if self._closed or (full and self.problem is not None):
            self._dropped(delivery.rule, 1, self.problem or "the spool is closed")
            return
        done: Deferred[int] = Deferred()
        done.addCallback(self._appended, delivery.rule)
        run = partial(store.append, delivery=delivery, limits=limits)
        self._appends.append(_Operation(run, done, size, delivery.rule))
        self._bytes += size
        self._begin()

    def room(self) -> Deferred[None] | None:
        """
        :return: None where there is room for more; else a Deferred that fires when there
            is, or when waiting is of no use, which is a matter of seconds.
        """
        if self._closed or self.problem is not None or not self._much():
            return None
        return self._room.wait()

    def _much(self, share: float = 1.0) -> bool:
        return len(self._appends) >= _HOLD_MESSAGES * share or self._bytes >= _HOLD_BYTES * share

    def _appended(self, lost: int, rule: str) -> None:
        if lost:
            self._dropped(rule, lost, "its spool is full")

    def look(self) -> None:
        """Find out how much waits, for other processes may have changed that."""
        self._asked_for_totals = True
        self._begin()

    # -- what goes on

    def submit(
        self,
        run: Callable[[Cursor], T],
        without_writing: Callable[[Cursor], T] | None = None,
    ) -> Deferred[T]:
        """
        Do something with the cursor, on another thread, in a transaction, behind
        everything submitted before.

        :param without_writing: is done instead, and at once, while nothing can be written.
        :return: fires with its result, when that is on disk; until then it is tried again
            and again.  Fails with ``CancelledError`` where the spool is closed before.
        """
        done: Deferred[T] = Deferred()
        if self._closed:
            done.errback(Failure(CancelledError()))
            return done
        self._others.append(_Operation(run, done, without_writing=without_writing))
        self._begin()
        return done

    def flush(self) -> Deferred[None]:
        """:return: fires when all that was asked for so far is on disk; cancel it at will."""
        if self._running is None and not self._appends and not self._others:
            return succeed(None)
        return self._idle.wait()

    def close(self) -> None:
        """Whatever is not on disk now is lost, counted, and logged."""
        if self._closed:
            return
        self._closed = True
        self._stall.stop()
        self._retry.stop()
        left = [*(self._running or ()), *self._appends, *self._others]
        self._appends.clear()
        self._others.clear()
        for operation in left:
            if operation.rule is not None:
                self._dropped(
                    operation.rule, 1, "the bridge stopped before it was seen to be stored"
                )
            elif not operation.done.called:
                operation.done.errback(Failure(CancelledError()))
        self._room.fire()
        self._idle.fire()
        self._database.close()

    # -- transactions

    def _begin(self) -> None:
        if self._running is not None or self._closed or self._begin_without_writing():
            return
        if self._retry.running:
            return
        batch = self._next_batch()
        if not batch and not self._asked_for_totals:
            return
        self._asked_for_totals = False
        self._running = batch
        self._stall.start(_STALL_SECONDS)

        def transact(cursor: Cursor) -> tuple[list[Any], dict[str, int]]:
            return [each.run(cursor) for each in batch], store.totals(cursor, "waiting")

        self._database.run(transact).addCallbacks(self._succeeded, self._failed)

    def _begin_without_writing(self) -> bool:
        """Whether there is something to do that a disk which is full does not hold up."""
        if self.problem is None:
            return False
        batch = [each for each in self._others if each.without_writing is not None]
        if not batch:
            return False
        self._others = deque(each for each in self._others if each.without_writing is None)
        self._running = batch
        self._stall.start(_STALL_SECONDS)

        def read(cursor: Cursor) -> list[Any]:
            return [each.without_writing(cursor) for each in batch if each.without_writing]

        self._database.run(read).addCallbacks(self._have_read, self._have_not_read)
        return True

    def _have_read(self, results: list[Any]) -> None:
        batch = self._end_batch()
        if self._closed:
            return
        for operation, result in zip(batch, results, strict=True):
            if not operation.done.called:
                operation.done.callback(result)
        self._go_on()

    def _have_not_read(self, failure: Failure) -> None:
        """Then they take their turn among what writes: they would be asked again at once."""
        for operation in self._running or ():
            operation.without_writing = None
        self._failed(failure)

    def _next_batch(self) -> list[_Operation]:
        """
        All there is; but after a failure the two kinds take turns: a full disk refuses
        new messages, and only forgetting old ones makes room again.
        """
        if self.problem is not None and self._others and self._appends:
            self._others_were_first = not self._others_were_first
            return self._take(self._others if self._others_were_first else self._appends)
        return [*self._take(self._others), *self._take(self._appends)]

    @staticmethod
    def _take(queue: deque[_Operation]) -> list[_Operation]:
        return [queue.popleft() for _ in range(min(_BATCH, len(queue)))]

    def _succeeded(self, outcome: tuple[list[Any], dict[str, int]]) -> None:
        results, totals = outcome
        batch = self._end_batch()
        if self._closed:
            return
        stored = any(operation.rule is not None for operation in batch)
        if self.problem is not None and (stored or not self._appends):
            self._log.info("the spool works again", event="webhooks.spool_works")
            self.problem = None
        for operation, result in zip(batch, results, strict=True):
            self._bytes -= operation.size
            if not operation.done.called:
                operation.done.callback(result)
        self._committed(totals)
        if self.problem is not None or not self._much(0.5):
            self._room.fire()
        self._go_on()

    def _failed(self, failure: Failure) -> None:
        batch = self._end_batch()
        if self._closed:
            return
        for operation in reversed(batch):
            queue = self._others if operation.rule is None else self._appends
            queue.appendleft(operation)
        self._fails(shorten(str(failure.value)) or type(failure.value).__name__)
        self._retry.start(_RETRY_SECONDS)
        self._begin_without_writing()

    def _end_batch(self) -> list[_Operation]:
        self._stall.stop()
        batch, self._running = self._running or [], None
        return batch

    def _stalled(self) -> None:
        """The transaction may yet end; until then, nobody waits for it."""
        self._fails(f"the disk has not answered for {_STALL_SECONDS:g} seconds")

    def _fails(self, problem: str) -> None:
        if self.problem is None:
            self._log.error(
                "the spool cannot be written, messages wait in memory: {problem}",
                event="webhooks.spool_failed",
                problem=problem,
            )
        self.problem = problem
        self._room.fire()

    def _go_on(self) -> None:
        self._begin()
        if self._running is None and not self._appends and not self._others:
            self._idle.fire()
