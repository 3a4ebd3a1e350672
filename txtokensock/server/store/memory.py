"""
A store in this process's memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from ...errors import StoreUnavailable
from ...support.checks import check_count
from .gathering import PATIENCE, Answered, Gathering
from .interface import IStore, IStoreLink, IStoreListener

__all__ = ["MemoryStore"]


@implementer(IStore)
class MemoryStore:
    """
    Keeps tokens and channels in memory.  Servers of one process and one reactor that
    are given the same store are one cluster.

    :param max_tokens: how many unspent tokens there may be before token requests are
        answered 503, so that nobody fills the memory with them.
    :param max_tokens_per_identity: how many of them for the same credentials, as
        ``authentication`` returned them, so that nobody takes them all.  Where it
        tells nobody apart, all are the same.
    """

    def __init__(
        self, *, max_tokens: int = 100_000, max_tokens_per_identity: int = 10_000
    ) -> None:
        self._max_tokens = check_count("max_tokens", max_tokens)
        self._max_tokens_per_identity = check_count(
            "max_tokens_per_identity", max_tokens_per_identity
        )
        self._unspent: Counter[bytes] = Counter()
        self._tokens: dict[str, tuple[float, bytes]] = {}
        self._links: dict[_MemoryLink, None] = {}

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._tokens)} tokens {len(self._links)} servers>"

    def connect(self, listener: IStoreListener, reactor: IReactorTime) -> _MemoryLink:
        """Connect a server to this store, see :meth:`IStore.connect`."""
        link = _MemoryLink(self, listener, reactor)
        self._links[link] = None
        return link

    def _keep(self, token: str, identity: bytes, expires: float, now: float) -> bool:
        self._forget_old(now)
        if len(self._tokens) >= self._max_tokens:
            return False
        if self._unspent[identity] >= self._max_tokens_per_identity:
            return False
        self._tokens[token] = (expires, identity)
        self._unspent[identity] += 1
        return True

    def _remove(self, token: str) -> tuple[float, bytes] | None:
        entry = self._tokens.pop(token, None)
        if entry is not None:
            self._unspent[entry[1]] -= 1
            if not self._unspent[entry[1]]:
                del self._unspent[entry[1]]
        return entry

    def _forget_old(self, now: float) -> None:
        # Oldest first: where servers give tokens different lifetimes, a long-lived one
        # keeps those behind it a little longer.
        while self._tokens:
            oldest = next(iter(self._tokens))
            if self._tokens[oldest][0] > now:
                return
            self._remove(oldest)

    def _take(self, token: str, now: float) -> bytes | None:
        # Taken out before anything else, so that no other peer can spend it as well.
        entry = self._remove(token)
        return entry[1] if entry is not None and entry[0] > now else None


@implementer(IStoreLink)
class _MemoryLink:
    """One server's link to a :class:`MemoryStore`."""

    available = True
    problem = None

    def __init__(
        self, store: MemoryStore, listener: IStoreListener, reactor: IReactorTime
    ) -> None:
        self._store = store
        self._reactor = reactor
        self._channels: set[str] = set()
        self._asked: dict[Gathering, None] = {}
        self.listener = listener
        self.since = reactor.seconds()

    def known(self) -> Deferred[None]:
        return succeed(None)

    def refuses(self, channel: str) -> bool:
        return False

    def issue_token(self, token: str, identity: bytes, lifetime: int) -> Deferred[None]:
        now = self._reactor.seconds()
        if self._store._keep(token, identity, now + lifetime, now):
            return succeed(None)
        return fail(StoreUnavailable("there are too many unspent tokens"))

    def spend_token(self, token: str) -> Deferred[bytes | None]:
        return succeed(self._store._take(token, self._reactor.seconds()))

    def subscribe(self, channel: str) -> Deferred[None]:
        self._channels.add(channel)
        return succeed(None)

    def unsubscribe(self, channel: str) -> None:
        self._channels.discard(channel)

    def publish(self, channel: str, message: bytes) -> Deferred[None]:
        for link in tuple(self._store._links):
            if channel in link._channels:
                link.listener.channel_message(channel, message)
        return succeed(None)

    def broadcast(self, message: bytes) -> Deferred[None]:
        for link in tuple(self._store._links):
            link.listener.broadcast_message(message)
        return succeed(None)

    def unsubscribe_all(self, channel: str) -> Deferred[None]:
        for link in tuple(self._store._links):
            link.listener.unsubscribe_all(channel)
        return succeed(None)

    def ask_servers(
        self, question: bytes, heard: Callable[[bytes], object], patience: float = PATIENCE
    ) -> Deferred[Answered]:
        gathering = Gathering(self._reactor, heard, patience)
        self._asked[gathering] = None
        gathering.outcome.addBoth(self._forget, gathering)
        links = tuple(self._store._links)
        gathering.expect(len(links))
        for link in links:
            link.listener.answer(question, gathering.part)
        return gathering.outcome

    def _forget(self, outcome: Any, gathering: Gathering) -> Any:
        del self._asked[gathering]
        return outcome

    def close(self) -> Deferred[None]:
        self._store._links.pop(self, None)
        for gathering in tuple(self._asked):
            gathering.fail(Failure(StoreUnavailable("this server has stopped")))
        return succeed(None)
