"""
A WAMP router in memory, as far as :class:`~txtokensock.bridge.wamp.realm.Realm` shows one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from txtokensock.bridge.wamp.realm import (
    CallResult,
    Match,
    OnCall,
    OnEvent,
    RealmLost,
    Undo,
    WampError,
)


class Router:
    """
    Sessions that publish and call each other.

    :param clock: acknowledgements come in a turn of their own.
    :ivar forbidden: prefixes of what nobody may do anything with.
    :ivar disclosing: whether it says which session calls and publishes.
    :ivar acknowledges: False holds all acknowledgements back.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sessions: list[Session] = []
        self.forbidden: tuple[str, ...] = ("com.forbidden.",)
        self.registrations: list[tuple[Session, str, Match, OnCall, bool, Any]] = []
        self.subscriptions: list[tuple[Session, str, Match, OnEvent]] = []
        self.disclosing = False
        self._ids: dict[str, int] = {}
        self._next = 0

    def join(self) -> Session:
        """A new session."""
        session = Session(self)
        self.sessions.append(session)
        return session

    # -- for sessions

    def check(self, uri: str) -> None:
        if uri.startswith(self.forbidden):
            raise WampError("wamp.error.not_authorized", [f"not authorized: {uri}"])

    def publish(
        self, by: Session | None, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        for session, name, match, on_event in self.subscriptions[:]:
            fits = topic == name if match == "exact" else topic.startswith(name)
            if fits and session is not by:
                publisher = by.number if by is not None and self.disclosing else None
                on_event(topic, args, kwargs, publisher)

    def subscription_id(self, topic: str) -> int:
        return self._ids.setdefault(topic, len(self._ids) + 1)

    def subscribed(self, session: Session, topic: str, match: Match, on_event: OnEvent) -> None:
        first = not any(entry[1:3] == (topic, match) for entry in self.subscriptions)
        self.subscriptions.append((session, topic, match, on_event))
        if first and match == "exact":
            details = {"id": self.subscription_id(topic), "uri": topic, "match": match}
            self.publish(None, "wamp.subscription.on_create", [1, details], {})

    def unsubscribed(self, entry: Any) -> None:
        if entry in self.subscriptions:
            self.subscriptions.remove(entry)
            _, topic, match, _ = entry
            if not any(other[1:3] == (topic, match) for other in self.subscriptions):
                number = self.subscription_id(topic)
                self.publish(None, "wamp.subscription.on_delete", [1, number], {})

    def meta(self, procedure: str, args: Sequence[Any]) -> Any:
        topics = {entry[1] for entry in self.subscriptions if entry[2] == "exact"}
        numbers = {self.subscription_id(topic): topic for topic in topics}
        if procedure == "wamp.subscription.list":
            return {"exact": list(numbers), "prefix": [], "wildcard": []}
        if args[0] not in numbers:
            raise WampError("wamp.error.no_such_subscription")
        return {"id": args[0], "uri": numbers[args[0]], "match": "exact"}


class Session:
    """One session; ``lose`` ends it."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self.number = len(router.sessions) + 1
        self.open = True

    def lose(self) -> None:
        """The connection is gone, and the router knows."""
        self.open = False
        router = self._router
        router.registrations = [one for one in router.registrations if one[0] is not self]
        for entry in [one for one in router.subscriptions if one[0] is self]:
            router.unsubscribed(entry)

    def publish(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Deferred[None]:
        return self._asked(topic, lambda: self._router.publish(self, topic, args, kwargs))

    def subscribe(self, topic: str, match: Match, on_event: OnEvent) -> Deferred[Undo]:
        entry = (self, topic, match, on_event)

        def subscribe() -> Undo:
            self._router.subscribed(*entry)
            return lambda: self._undone(lambda: self._router.unsubscribed(entry))

        return self._asked(topic, subscribe)

    def register(
        self,
        procedure: str,
        match: Match,
        on_call: OnCall,
        *,
        shared: bool = True,
        concurrency: int | None = None,
        on_revoked: Callable[[], object] | None = None,
    ) -> Deferred[Undo]:
        entry = (self, procedure, match, on_call, shared, on_revoked)

        def register() -> Undo:
            same = [one for one in self._router.registrations if one[1:3] == (procedure, match)]
            if same and not (shared and same[0][4]):
                raise WampError("wamp.error.procedure_already_exists", [procedure])
            self._router.registrations.append(entry)
            return lambda: self._undone(lambda: self._unregister(entry))

        return self._asked(procedure, register)

    def _unregister(self, entry: Any) -> None:
        if entry in self._router.registrations:
            self._router.registrations.remove(entry)

    def call(
        self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float
    ) -> CallResult:
        def call() -> CallResult:
            if procedure.startswith("wamp."):
                return succeed(([self._router.meta(procedure, args)], {}))
            for one in self._router.registrations:
                _, name, match, on_call, _, _ = one
                if procedure == name or (match == "prefix" and procedure.startswith(name)):
                    self._router.registrations.remove(one)  # and so they go round
                    self._router.registrations.append(one)
                    caller = self.number if self._router.disclosing else None
                    return on_call(procedure, args, kwargs, caller)
            raise WampError("wamp.error.no_such_procedure", [f"no callee for {procedure}"])

        return self._asked(procedure, call)

    def _undone(self, what: Callable[[], None]) -> Deferred[None]:
        if self.open:
            what()
        return succeed(None)

    def _asked(self, uri: str, what: Callable[[], Any]) -> Deferred[Any]:
        """Do it now; the answer comes in the next turn, unless the session is lost."""
        if not self.open:
            return fail(RealmLost("there is no session with the router"))
        answered: Deferred[Any] = Deferred()
        try:
            self._router.check(uri)
            outcome: Any = what()
        except WampError:
            outcome = Failure()

        def answer() -> None:
            if answered.called:
                return
            result = outcome if self.open else Failure(RealmLost("lost"))
            if isinstance(result, Deferred):
                result.chainDeferred(answered)
            else:
                answered.callback(result)

        self._router.clock.callLater(0, answer)
        return answered
