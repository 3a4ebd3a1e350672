"""
Calls of WAMP callers to the server, and of the server to WAMP procedures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from ...actions import add_action, remove_action
from ...client.socket import TokenSocket
from ...errors import ActionError, InvalidOption
from ...support.patterns import Pattern
from ..arguments import arguments_of, data_of, size_of
from ..capacity import Capacity
from ..config.wamp import ActionRule, CallRule, WampRules
from ..shares import Shares
from .grants import Grant, Grants
from .realm import TEND_SECONDS, CallResult, OnCall, Payload, Realm, RealmLost, Undo, caller_of
from .rule_counters import RuleCounters
from .wamp_errors import answer_error, call_error, unavailable

__all__ = ["ActionForwarding", "CallForwarding"]


@define(eq=False, repr=False)
class CallForwarding:
    """
    WAMP callers to functions of the server.

    :param rules: which, and how many at once.
    :param socket: the upstream.
    :param shares: of it.
    :param rule_counters: counts the outcomes.
    :param reactor: for attempts to register what the router refused.
    """

    _rules: WampRules
    _socket: TokenSocket
    _shares: Shares
    _rule_counters: RuleCounters
    _reactor: IReactorTime
    room: Capacity = field(init=False)
    _registrations: Grants[CallRule] = field(init=False)
    _tending: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.room = Capacity(self._rules.queue_limit)
        self._registrations = Grants(self._register, self._rule_counters)
        self._tending = LoopingCall(lambda: self._registrations.follow(self._rules.calls))
        self._tending.clock = self._reactor

    def joined(self, realm: Realm) -> None:
        """Register, in this session."""
        self._registrations.begin(realm)
        self._tending.start(TEND_SECONDS)

    def left(self) -> None:
        """The session is gone."""
        self._registrations.begin(None)
        if self._tending.running:
            self._tending.stop()

    def listen_no_more(self) -> None:
        """Take no new calls; what is on its way goes on."""
        self._registrations.follow(())
        self.left()

    def reload(self, rules: WampRules) -> None:
        """Take other rules; calls that are on their way go on."""
        self._rules = rules
        self.room.limit = rules.queue_limit
        self._registrations.follow(rules.calls)

    def _register(self, realm: Realm, rule: CallRule, grant: Grant) -> Deferred[Undo]:
        pattern = Pattern(rule.procedure)
        return realm.register(
            pattern.prefix,
            "exact" if pattern.exact else "prefix",
            self._call_of(rule, pattern, Pattern(rule.rpc)),
            concurrency=rule.concurrency,
            on_revoked=partial(self._registrations.forget, rule, grant),
        )

    def _call_of(self, rule: CallRule, procedure: Pattern, rpc: Pattern) -> OnCall:
        def on_call(
            name: str, args: Sequence[Any], kwargs: Mapping[str, Any], session: int | None
        ) -> CallResult:
            self._rule_counters.count(rule.rule, "in")
            rest = procedure.match(name)
            if rest is None:
                return self._refuse(rule, unavailable(f"{name!r} does not name a function"))
            if not self._socket.connected:
                return self._refuse(rule, unavailable("there is no connection to the server"))
            if not self.room.take():
                return self._refuse(rule, unavailable("too many calls at once"))
            function, data = rpc.fill(rest), data_of(args, kwargs)
            called = self._shares.of(caller_of(session)).call(
                lambda: self._socket.rpc(function, data, timeout=rule.timeout), size_of(data)
            )
            return called.addCallbacks(self._answered, self._failed, (rule,), errbackArgs=(rule,))

        return on_call

    def _refuse(self, rule: CallRule, error: Exception) -> CallResult:
        self._rule_counters.refused(rule.rule, str(error))
        return fail(error)

    def _answered(self, result: Any, rule: CallRule) -> Payload:
        self.room.give()
        self._rule_counters.count(rule.rule, "out")
        return [result], {}

    def _failed(self, failure: Failure, rule: CallRule) -> Failure:
        self.room.give()
        self._rule_counters.count(rule.rule, "refused")
        return Failure(call_error(failure.value))


@define(eq=False, repr=False)
class ActionForwarding:
    """
    The server's calls to WAMP procedures.

    While there is no realm, each is answered at once with an error.

    :param rules: which.
    :param socket: the upstream, whose actions these become.
    :param rule_counters: counts the outcomes.
    """

    _rules: WampRules
    _socket: TokenSocket
    _rule_counters: RuleCounters
    _installed: dict[ActionRule, _Action] = field(init=False, factory=dict)
    realm: Realm | None = field(init=False, default=None)
    in_flight: Capacity = field(init=False, factory=Capacity)

    def install(self) -> None:
        """Offer the actions to the server, but for those whose names are taken."""
        for rule in self._rules.actions:
            if rule in self._installed:
                continue
            action = _Action(rule, self._call)
            try:
                add_action(self._socket.actions, rule.action, action)
            except InvalidOption as problem:
                self._rule_counters.refused(rule.rule, str(problem))
            else:
                self._installed[rule] = action

    def remove(self) -> None:
        """Offer none of them any more."""
        for rule in list(self._installed):
            self._remove(rule)

    def reload(self, rules: WampRules) -> None:
        """Take other rules; calls that are on their way go on."""
        self._rules = rules
        for rule in [rule for rule in self._installed if rule not in rules.actions]:
            self._remove(rule)
        self.install()

    def _remove(self, rule: ActionRule) -> None:
        remove_action(self._socket.actions, rule.action, self._installed.pop(rule))

    def _call(self, rule: ActionRule, data: Any) -> Deferred[Any]:
        self._rule_counters.count(rule.rule, "in")
        self.in_flight.take()
        if self.realm is None:
            called: CallResult = fail(RealmLost("there is no connection to the WAMP router"))
        else:
            args, kwargs = arguments_of(data, rule.arguments)
            called = self.realm.call(rule.procedure, args, kwargs, rule.timeout)
        return called.addCallbacks(self._answered, self._refused, (rule,), errbackArgs=(rule,))

    def _answered(self, answer: Payload, rule: ActionRule) -> Any:
        self.in_flight.give()
        self._rule_counters.count(rule.rule, "out")
        return data_of(*answer)

    def _refused(self, failure: Failure, rule: ActionRule) -> Deferred[Any]:
        self.in_flight.give()
        self._rule_counters.refused(rule.rule, failure.getErrorMessage())
        return fail(ActionError(answer_error(failure.value)))


class _Action:
    """What the server calls; its name in errors is that of its rule."""

    def __init__(self, rule: ActionRule, call: Callable[[ActionRule, Any], Deferred[Any]]) -> None:
        self._rule = rule
        self._call = call

    def __call__(self, data: Any = None) -> Deferred[Any]:
        return self._call(self._rule, data)

    def __repr__(self) -> str:
        return f"the WAMP action rule {self._rule.rule!r}"
