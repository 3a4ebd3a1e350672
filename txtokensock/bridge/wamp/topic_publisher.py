"""
Messages of channels on their way to topics.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from ..arguments import arguments_of, size_of
from ..capacity import Capacity
from ..config.wamp import ChannelRule
from .realm import Realm
from .rule_counters import RuleCounters

__all__ = ["TopicPublisher"]


class TopicPublisher:
    """
    Publishes on topics, in order; while there is no realm, what comes waits.

    What was handed to a connection that is lost is not published again: it may have been
    delivered.

    :param rule_counters: counts the outcomes.
    :param room: for what waits and for what is not acknowledged yet.
    :param room_bytes: for what waits.
    :ivar room: the same.
    :ivar room_bytes: the same.
    """

    def __init__(self, rule_counters: RuleCounters, room: Capacity, room_bytes: Capacity) -> None:
        self._rule_counters = rule_counters
        self.room = room
        self.room_bytes = room_bytes
        self._waiting: deque[tuple[ChannelRule, str, Any, int]] = deque()
        self._realm: Realm | None = None

    def publish(self, rule: ChannelRule, topic: str, data: Any) -> None:
        """A message that was taken from a channel."""
        self._rule_counters.count(rule.rule, "in")
        if not self.room.take():
            self._rule_counters.dropped(
                rule.rule, f"{self.room.limit} messages wait for the router"
            )
        elif self._realm is None:
            self._wait(rule, topic, data)
        else:
            self._send(self._realm, rule, topic, data)

    def _wait(self, rule: ChannelRule, topic: str, data: Any) -> None:
        size = size_of(data)
        if self.room_bytes.take(size):
            self._waiting.append((rule, topic, data, size))
            return
        self.room.give()
        self._rule_counters.dropped(
            rule.rule, f"{self.room_bytes.limit} bytes wait for the router"
        )

    def attach(self, realm: Realm) -> None:
        """What waited goes out."""
        self._realm = realm
        while self._waiting and self._realm is realm:
            rule, topic, data, size = self._waiting.popleft()
            self.room_bytes.give(size)
            self._send(realm, rule, topic, data)

    def detach(self) -> None:
        """From now on, what comes waits."""
        self._realm = None

    def discard(self, why: str) -> None:
        """Drop what waits: another bridge delivers from now on, or none does."""
        self._realm = None
        waiting, self._waiting = self._waiting, deque()
        self.room.give(len(waiting))
        for rule, _, _, size in waiting:
            self.room_bytes.give(size)
            self._rule_counters.dropped(rule.rule, why)

    def _send(self, realm: Realm, rule: ChannelRule, topic: str, data: Any) -> None:
        published = realm.publish(topic, *arguments_of(data, rule.arguments))
        published.addBoth(self._published, rule.rule)

    def _published(self, outcome: object, rule: str) -> None:
        self.room.give()
        self._rule_counters.published(rule, outcome)
