"""
Which topics have subscribers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from .realm import Realm, RealmLost, WampError

__all__ = ["Demand"]

_AT_ONCE = 32
_MOST = 100_000


class Demand:
    """
    Follows the router's meta API: a channel of a prefix is taken while its topic has
    subscribers.

    A router that does not let us see it leaves the channels that the rules name.

    :param realm: the session.
    :param changed: called when the topics have changed.
    :ivar topics: those that have subscribers, of the match ``exact``.
    """

    _log = Logger()

    def __init__(self, realm: Realm, changed: Callable[[], object]) -> None:
        self._realm = realm
        self._changed = changed
        self._by_id: dict[int, str] = {}
        self._gone: set[int] | None = set()
        self._stopped = False

    @property
    def topics(self) -> set[str]:
        return set(self._by_id.values())

    def start(self) -> None:
        """Look, and go on looking."""
        Deferred.fromCoroutine(self._start()).addErrback(self._failed)

    def stop(self) -> None:
        """Report no more changes; the session ends, or its subscriptions do no harm."""
        self._stopped = True

    async def _start(self) -> None:
        realm = self._realm
        await realm.subscribe("wamp.subscription.on_create", "exact", self._created)
        await realm.subscribe("wamp.subscription.on_delete", "exact", self._deleted)
        args, _ = await realm.call("wamp.subscription.list", [], {}, 10.0)
        found = args[0].get("exact", []) if args and isinstance(args[0], dict) else []
        turns = DeferredSemaphore(_AT_ONCE)
        await gatherResults(
            [turns.run(self._look_up, one) for one in found if isinstance(one, int)],
            consumeErrors=True,
        )
        self._gone = None
        self._tell()

    def _look_up(self, number: int) -> Deferred[None]:
        looked = self._realm.call("wamp.subscription.get", [number], {}, 10.0)
        looked.addCallback(lambda answer: self._add(answer[0][0] if answer[0] else None))
        # It may have ended meanwhile.
        looked.addErrback(lambda failure: failure.trap(WampError) and None)
        return looked  # type: ignore[return-value]

    def _created(self, _: str, args: Sequence[Any], *__: object) -> None:
        if len(args) > 1 and self._add(args[1]) and self._gone is None:
            self._tell()

    def _add(self, details: Any) -> bool:
        if not isinstance(details, dict) or details.get("match", "exact") != "exact":
            return False
        number, uri = details.get("id"), details.get("uri")
        if not isinstance(number, int) or not isinstance(uri, str) or uri.startswith("wamp."):
            return False
        if len(self._by_id) >= _MOST or (self._gone is not None and number in self._gone):
            return False
        self._by_id[number] = uri
        return True

    def _deleted(self, _: str, args: Sequence[Any], *__: object) -> None:
        if len(args) < 2 or not isinstance(args[1], int):
            return
        if self._gone is not None:
            self._gone.add(args[1])  # its details may be on their way
        if self._by_id.pop(args[1], None) is not None and self._gone is None:
            self._tell()

    def _tell(self) -> None:
        if not self._stopped:
            self._changed()

    def _failed(self, failure: Failure) -> None:
        if not self._stopped and not failure.check(RealmLost):
            self._log.warn(
                "only channels that are named are forwarded: the router does not say who "
                "subscribes to what: {reason}",
                event="wamp.no_demand",
                reason=failure.getErrorMessage(),
            )
