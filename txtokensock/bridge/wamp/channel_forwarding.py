"""
Channels to topics and topics to channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ...client.socket import TokenSocket
from ...support.patterns import Pattern
from ..arguments import data_of, size_of
from ..capacity import Capacity
from ..config.wamp import ChannelRule, WampRules
from ..error_table import ShareExceeded
from ..shares import Shares
from ..upstream_socket import keep_trying
from .demand import Demand
from .echo import Echoes
from .forwarded_channel import ForwardedChannel
from .grants import Grant, Grants
from .realm import TEND_SECONDS, Match, Realm, Undo, caller_of
from .rule_counters import RuleCounters
from .topic_publisher import TopicPublisher

__all__ = ["ChannelForwarding"]


class ChannelForwarding:
    """
    Forwards while it is this bridge's turn.

    No echo goes to a topic: see :mod:`.echo`.  None goes to a channel: the router
    does not deliver to the session that publishes.

    :param rules: what to forward, and the limits.
    :param socket: the upstream.
    :param shares: of it.
    :param rule_counters: counts the outcomes.
    :param reactor: for the time.
    """

    def __init__(
        self,
        rules: WampRules,
        *,
        socket: TokenSocket,
        shares: Shares,
        rule_counters: RuleCounters,
        reactor: IReactorTime,
    ) -> None:
        self._rules = rules
        self._socket = socket
        self._shares = shares
        self._rule_counters = rule_counters
        self._reactor = reactor
        self._events = TopicPublisher(
            rule_counters, Capacity(rules.queue_limit), Capacity(rules.queue_bytes)
        )
        self._upstream_room = Capacity(rules.queue_limit)
        self._upstream_bytes = Capacity(rules.queue_bytes)
        self._channels: dict[str, ForwardedChannel] = {}
        self._targets: dict[str, list[tuple[ChannelRule, str]]] = {}
        self._topics: Grants[ChannelRule] = Grants(self._subscribe, rule_counters)
        self._realm: Realm | None = None
        self._demand: Demand | None = None
        self._topics_in_demand: set[str] = set()
        self._turn = False
        self._left_out = 0
        self._tending = LoopingCall(self._tend)
        self._tending.clock = reactor

    @property
    def in_flight(self) -> list[Capacity]:
        """The messages that are on their way, in each direction."""
        return [self._events.room, self._upstream_room]

    # -- whose turn it is

    def begin(self, realm: Realm) -> None:
        """It is this bridge's turn, in this session."""
        self._realm = realm
        self._turn = True
        self._topics.begin(realm)
        self._follow_demand()
        for channel in self._channels.values():
            channel.resume()
        self._reconcile()
        self._events.attach(realm)
        if not self._tending.running:
            self._tending.start(TEND_SECONDS, now=False)

    def pause(self) -> None:
        """
        The session is lost: what comes from channels waits for the next one.

        Where other bridges wait for their turn, nothing goes to channels meanwhile: the
        one whose turn it became would take it for a message of somebody else.
        """
        self._realm = None
        self._topics.begin(None)
        self._stop_demand()
        self._events.detach()
        if self._rules.lease is not None:
            for channel in self._channels.values():
                channel.hold()

    def end(self, why: str) -> None:
        """It is not this bridge's turn any more: drop all that waits."""
        self._turn = False
        self._stop_demand()
        self._topics.follow(())
        self._topics.begin(None)
        self._realm = None
        self._events.discard(why)
        for name in list(self._channels):
            self._drop(name, why)
        self._targets.clear()
        self._stop_tending()

    def listen_no_more(self) -> None:
        """Take nothing new; what is on its way goes on."""
        self._stop_tending()
        self._stop_demand()
        self._topics.follow(())
        self._targets.clear()

    def reload(self, rules: WampRules) -> None:
        """Take other rules; what they do not concern goes on."""
        self._rules = rules
        self._events.room.limit = self._upstream_room.limit = rules.queue_limit
        self._events.room_bytes.limit = self._upstream_bytes.limit = rules.queue_bytes
        if self._turn:
            self._follow_demand()
            self._reconcile()

    def _follow_demand(self) -> None:
        prefixes = any(rule.to_wamp and "*" in rule.channel for rule in self._rules.channels)
        if self._realm is not None and self._demand is None and prefixes:
            self._demand = Demand(self._realm, self._demanded)
            self._demand.start()

    def _demanded(self) -> None:
        assert self._demand is not None
        self._topics_in_demand = self._demand.topics
        self._reconcile()

    def _stop_demand(self) -> None:
        if self._demand is not None:
            # What was in demand stays so until the next session says otherwise.
            self._demand.stop()
            self._demand = None

    def _tend(self) -> None:
        for channel in list(self._channels.values()):
            channel.look()
        self._reconcile()

    def _stop_tending(self) -> None:
        if self._tending.running:
            self._tending.stop()

    # -- what is wanted

    def _reconcile(self) -> None:
        """Bring subscriptions on both sides in line with the rules and the demand."""
        if not self._turn:
            return
        self._targets = self._wanted()
        for name in [name for name in self._channels if name not in self._targets]:
            self._drop(name, "the channel is not forwarded any more")
        self._add([name for name in self._targets if name not in self._channels])
        self._topics.follow([rule for rule in self._rules.channels if rule.to_upstream])

    def _add(self, names: list[str]) -> None:
        """Whoever subscribes to a topic may ask for a channel more: there may be too many."""
        left_out, self._left_out = self._left_out, 0
        for number, name in enumerate(names):
            try:
                self._shares.of(caller_of(None)).take([name])
            except ShareExceeded as problem:  # tending asks again
                self._left_out = len(names) - number
                if self._left_out > left_out:
                    rule = self._targets[name][0][0].rule
                    self._rule_counters.refused(rule, f"{name} is not forwarded: {problem}")
                return
            channel = self._channels[name] = ForwardedChannel(
                name,
                self._socket,
                self._shares,
                self._rule_counters,
                self._upstream_room,
                self._upstream_bytes,
                Echoes(self._reactor.seconds, self._rules.echo_timeout, self._rules.json_text),
                self._message,
                keep_trying(),
            )
            channel.start()

    def _drop(self, name: str, why: str) -> None:
        self._channels.pop(name).stop(why)
        self._shares.of(caller_of(None)).give([name])

    def _wanted(self) -> dict[str, list[tuple[ChannelRule, str]]]:
        wanted: dict[str, list[tuple[ChannelRule, str]]] = {}
        for rule in self._rules.channels:
            if not rule.to_wamp:
                continue
            channel, topic = Pattern(rule.channel), Pattern(rule.topic)
            rests: set[str] = {""} if channel.exact else set()
            rests.update(rest for name in rule.channels if (rest := channel.match(name)))
            if not channel.exact:
                topics = self._topics_in_demand
                rests.update(rest for name in topics if (rest := topic.match(name)))
            for rest in sorted(rests):
                wanted.setdefault(channel.fill(rest), []).append((rule, topic.fill(rest)))
        return wanted

    # -- channels to topics

    def _message(self, channel: str, data: Any) -> None:
        for rule, topic in self._targets.get(channel, ()):
            self._events.publish(rule, topic, data)

    # -- topics to channels

    def _subscribe(self, realm: Realm, rule: ChannelRule, topic: Grant) -> Deferred[Undo]:
        pattern, channel = Pattern(rule.topic), Pattern(rule.channel)

        def event(
            name: str, args: Sequence[Any], kwargs: Mapping[str, Any], session: int | None
        ) -> None:
            rest = pattern.match(name)
            if rest is not None and not topic.withdrawn and realm is self._realm:
                data = data_of(args, kwargs)
                self._event(rule, channel.fill(rest), data, caller_of(session))

        match: Match = "exact" if pattern.exact else "prefix"
        return realm.subscribe(pattern.prefix, match, event)

    def _event(self, rule: ChannelRule, name: str, data: Any, caller: str) -> None:
        self._rule_counters.count(rule.rule, "in")
        if not self._upstream_room.take():
            self._rule_counters.dropped(
                rule.rule, f"{self._upstream_room.limit} messages wait upstream"
            )
            return
        channel = self._channels.get(name)
        if channel is not None:
            channel.publish(rule.rule, data, caller)
        else:  # nobody here hears it come back
            published = self._shares.of(caller).call(
                lambda: self._socket.publish(name, data), size_of(data)
            )
            published.addBoth(self._published, rule)

    def _published(self, outcome: Any, rule: ChannelRule) -> None:
        self._upstream_room.give()
        self._rule_counters.published(rule.rule, outcome)
