"""
A process of peers, or one that publishes to them: real clients of ours, so that they come back as
clients do.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.kit.commands import Commands
from txtokensock import Gap, Subscription, TokenSocket

PATIENCE = 60.0
"""Seconds for a call, on a busy machine."""


def _socket(urls: list[str]) -> TokenSocket:
    return TokenSocket(
        urls, authentication={"user": "scale"}, call_timeout=PATIENCE, reactor=reactor
    )


class Peer:
    """
    One that listens to one channel, and notes what comes, and how long it was away.

    :param load: counts.
    :param urls: of the servers, that which it is to be on first.
    """

    def __init__(self, load: Load, urls: list[str]) -> None:
        self._load = load
        self._away_since: float | None = None
        self._subscription: Subscription | None = None
        self.socket = _socket(urls)
        self.socket.on("disconnect", self._disconnected)
        self.socket.on("gap", self._gap)
        self.socket.startService()

    async def subscribe(self, channel: str) -> None:
        """Listen to this channel, and no more to the one before."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        self._subscription = await self.socket.subscribe(channel, self._load.deliver)

    def _disconnected(self, error: object) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._load.away += 1

    def _gap(self, gap: Gap) -> None:
        self._load.gaps += 1
        if self._away_since is not None:
            self._load.absences.append(time.monotonic() - self._away_since)
            self._load.away -= 1
            self._away_since = None


class Load:
    """
    The peers of this process.

    :ivar absences: seconds from each loss to the subscription that followed.
    :ivar away: how many are not subscribed now.
    :ivar gaps: of which peers were told.
    """

    def __init__(self) -> None:
        self._peers: list[Peer] = []
        self.away = 0
        self.start_over()

    def start_over(self) -> None:
        """Count from now on."""
        self.gaps = 0
        self.absences: list[float] = []
        self._latencies = array("d")

    def deliver(self, message: dict[str, Any]) -> None:
        """A peer got a message."""
        self._latencies.append(time.monotonic() - message["at"])

    async def open(self, urls: list[str], channels: list[str]) -> None:
        """Open a peer for each of the channels, one server after the other."""
        opening = []
        for number, channel in enumerate(channels):
            first = number % len(urls)
            peer = Peer(self, [*urls[first:], *urls[:first]])
            self._peers.append(peer)
            opening.append(Deferred.fromCoroutine(peer.subscribe(channel)))
        await gatherResults(opening)

    async def subscribe(self, channels: list[str]) -> None:
        """Have each peer listen to its channel of these."""
        for begin in range(0, len(channels), 100):
            some = zip(self._peers[begin:][:100], channels[begin:], strict=False)
            changing = [peer.subscribe(channel) for peer, channel in some]
            await gatherResults([Deferred.fromCoroutine(each) for each in changing])

    async def close(self) -> None:
        """Close all."""
        peers, self._peers = self._peers, []
        await gatherResults([peer.socket.end() for peer in peers])
        self.away = 0

    def count(self) -> dict[str, int]:
        """How many messages came, and how many peers cannot get any now."""
        return {
            "delivered": len(self._latencies),
            "absences": len(self.absences),
            "away": self.away,
            "gaps": self.gaps,
        }

    def times(self) -> dict[str, list[float]]:
        """Percentiles of latencies and absences, in seconds: 50, 99, 100."""
        return {"latency": _percentiles(self._latencies), "absence": _percentiles(self.absences)}


def _percentiles(values: Any) -> list[float]:
    ordered = sorted(values)
    most = len(ordered) - 1
    return [ordered[round(most * share)] for share in (0.5, 0.99, 1.0)] if ordered else []


class Publisher:
    """Publishes to channels in turn."""

    def __init__(self) -> None:
        self._socket: TokenSocket | None = None
        self._stopped = False

    async def publish(
        self, urls: list[str], channels: list[str], seconds: float, in_flight: int, wait: float
    ) -> dict[str, Any]:
        """
        :param in_flight: how many publishes wait for an answer at a time.
        :param wait: seconds between the answer and the next one.
        :return: how many were answered, by channel, how many failed, how long it took, and the
            longest time without an answer.
        """
        if self._socket is None:
            self._socket = socket = _socket(urls)
            socket.startService()
        await self._socket.when_ready()
        self._stopped = False
        published: Counter[str] = Counter()
        failed, silence = 0, 0.0
        answered = begun = time.monotonic()

        async def go_on(number: int) -> None:
            nonlocal failed, silence, answered
            assert self._socket is not None
            while time.monotonic() < begun + seconds and not self._stopped:
                channel = channels[number % len(channels)]
                number += in_flight
                try:
                    await self._socket.publish(channel, {"at": time.monotonic(), "text": "x" * 30})
                    published[channel] += 1
                    silence = max(silence, time.monotonic() - answered)
                    answered = time.monotonic()
                except Exception:
                    failed += 1
                    await deferLater(reactor, 0.05)
                if wait:
                    await deferLater(reactor, wait)

        await gatherResults([Deferred.fromCoroutine(go_on(n)) for n in range(in_flight)])
        return {
            "published": published,
            "failed": failed,
            "seconds": time.monotonic() - begun,
            "silence": silence,
        }

    def stop(self) -> None:
        """Publish no more."""
        self._stopped = True


def main() -> None:
    """Obey."""
    load, publisher = Load(), Publisher()
    own = ("open", "subscribe", "close", "count", "times", "start_over")
    commands = Commands(
        {
            **{name: getattr(load, name) for name in own},
            "publish": publisher.publish,
            "stop": publisher.stop,
        }
    )
    commands.run(lambda: commands.say("ready"))


if __name__ == "__main__":
    main()
