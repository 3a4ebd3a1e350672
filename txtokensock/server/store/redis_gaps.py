"""
What a server may have missed while it could not hear Redis.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .interface import IStoreListener

__all__ = ["RedisGaps"]


class RedisGaps:
    """
    Notes since when which messages may be missing, and tells when they come again.

    :param listener: is told.
    :param reactor: for its clock.
    """

    _log = Logger()

    def __init__(self, listener: IStoreListener, reactor: IReactorTime) -> None:
        self._listener = listener
        self._reactor = reactor
        self._channels: dict[str, float] = {}
        self._since: float | None = None

    def begin(self, channels: Iterable[str], heard_at: float) -> None:
        """
        The connection is lost.

        :param channels: of which messages came on it.
        :param heard_at: when anything came for the last time.
        """
        if self._since is None:
            self._since = heard_at
        for channel in channels:
            self._channels.setdefault(channel, heard_at)

    def end(self) -> None:
        """There is a connection again, on which all is being subscribed to."""
        since, self._since = self._since, None
        if since is None:
            return
        seconds = self._reactor.seconds() - since
        self._log.warn(
            "what other servers published may be lost: Redis was not heard for {seconds:.1f} s",
            event="redis.gap",
            seconds=seconds,
        )
        self._listener.interrupted(seconds)

    def subscribed(self, channel: str) -> None:
        """The messages of a channel come, perhaps again."""
        since = self._channels.pop(channel, None)
        if since is not None:
            self._listener.missed(channel, self._reactor.seconds() - since)

    def forget(self, channel: str) -> None:
        """Nobody wants its messages any more."""
        self._channels.pop(channel, None)
