"""
What the router was asked for by rules: their subscriptions, or their registrations.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..config.wamp import CallRule, ChannelRule
from .realm import Realm, RealmLost, Undo
from .rule_counters import RuleCounters

__all__ = ["Grant", "Grants"]

R = TypeVar("R", CallRule, ChannelRule)


@define(eq=False)
class Grant:
    """
    A subscription or a registration that the router was asked for, and may grant late.

    :ivar withdrawn: whether it is not wanted any more.
    """

    withdrawn: bool = False
    _undo: Undo | None = None

    def granted(self, undo: Undo) -> None:
        """The router has confirmed; it is undone at once if that came too late."""
        self._undo = undo
        if self.withdrawn:
            undo()

    def withdraw(self) -> None:
        """Undo it, now or as soon as the router has confirmed."""
        self.withdrawn = True
        if self._undo is not None:
            self._undo()


@define(eq=False, repr=False)
class Grants(Generic[R]):
    """
    The grants of one kind of rules, in one session after the other.

    :param request: asks the router for what one rule needs.
    :param rule_counters: hears of what the router refuses.
    """

    _request: Callable[[Realm, R, Grant], Deferred[Undo]]
    _rule_counters: RuleCounters
    _realm: Realm | None = field(init=False, default=None)
    _grants: dict[R, Grant] = field(init=False, factory=dict)

    def begin(self, realm: Realm | None) -> None:
        """Use another session, or none: what the one before it had has gone with it."""
        self._realm = realm
        self._grants.clear()

    def follow(self, rules: Collection[R]) -> None:
        """Withdraw what is not of these rules, and ask for what of theirs is missing."""
        for rule in [rule for rule in self._grants if rule not in rules]:
            self._grants.pop(rule).withdraw()
        for rule in rules:
            if rule not in self._grants and self._realm is not None:
                grant = self._grants[rule] = Grant()
                self._request(self._realm, rule, grant).addCallbacks(
                    grant.granted, self._failed, errbackArgs=(rule, grant)
                )

    def forget(self, rule: R, grant: Grant) -> None:
        """The router does not grant it any more: :meth:`follow` asks again."""
        if self._grants.get(rule) is grant:
            del self._grants[rule]

    def _failed(self, failure: Failure, rule: R, grant: Grant) -> None:
        self.forget(rule, grant)
        if not failure.check(RealmLost):
            self._rule_counters.refused(rule.rule, failure.getErrorMessage())
