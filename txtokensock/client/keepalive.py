"""
Notices that a server is gone though its connection is still there.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..support.timer import Timer

__all__ = ["KeepAlive", "Watched"]

_LOOKS = 4
"""How often in the time of a silence it is looked whether there is one."""


class Watched(Protocol):
    """A connection, as far as the keep-alive needs it."""

    @property
    def reading(self) -> bool:
        """Whether the transport is read at present: only then can an answer arrive."""

    @property
    def pause_count(self) -> int:
        """How often reading was stopped, or taken up again, so far."""

    @property
    def frames_received(self) -> int:
        """How many frames of any kind were received so far."""

    def ping(self) -> str:
        """
        Send a ping.

        :return: the uuid that its answer will have.
        """

    def silent(self, problem: str) -> None:
        """Drop the connection: the server does not answer."""


class KeepAlive:
    """
    Two watches, each with ``timeout`` seconds for the answer:

    - every ``interval`` seconds a ``_ping`` is sent, and its answer must come; any
      answer will do, for a server without ping answers "Function not found";
    - after ``silence`` seconds without any frame at all, WebSocket pings included, a
      ``_ping`` is sent, and then any frame will do.  When the last frame came is known to
      a quarter of that time, by which the ping may come later.

    A connection that is not being read, because its user wants no more for now, is not
    judged.

    :param interval: seconds, or None for no regular pings.
    :param silence: seconds, or None.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        connection: Watched,
        *,
        interval: float | None,
        silence: float | None,
        timeout: float,
    ) -> None:
        self._connection = connection
        self._interval = interval
        self._silence = silence
        self._timeout = timeout
        self._ping: str | None = None
        self._next_ping = Timer(reactor, self._send_ping)
        self._answer = Timer(reactor, self._unanswered)
        self._pause_count = 0
        self._next_look = Timer(reactor, self._look)
        self._judgement = Timer(reactor, self._judge)
        self._frames_seen = 0
        self._looks = 0

    def start(self) -> None:
        """Start watching the connection."""
        if self._interval is not None:
            self._next_ping.start(self._interval)
        if self._silence is not None:
            self._listen()

    def stop(self) -> None:
        """Stop watching, and cancel all timers."""
        for timer in (self._next_ping, self._answer, self._next_look, self._judgement):
            timer.stop()

    def answered(self, uuid: str) -> bool:
        """
        Take an answer from the server.

        :return: whether it was the answer to a ping.
        """
        if uuid != self._ping:
            return False
        self._ping = None
        self._answer.stop()
        return True

    # -- regular pings

    def _send_ping(self) -> None:
        assert self._interval is not None
        if self._ping is None and self._connection.reading:
            self._ping = self._connection.ping()
            self._await_answer()
        self._next_ping.start(self._interval)

    def _await_answer(self) -> None:
        self._pause_count = self._connection.pause_count
        self._answer.start(self._timeout)

    def _unanswered(self) -> None:
        # All of the deadline must have been time in which the answer could be heard.
        if self._connection.reading and self._connection.pause_count == self._pause_count:
            self._connection.silent(f"no answer to a ping within {self._timeout:g} seconds")
        else:
            self._await_answer()

    # -- silence

    def _listen(self) -> None:
        self._frames_seen = self._connection.frames_received
        self._looks = _LOOKS
        self._look_later()

    def _look_later(self) -> None:
        assert self._silence is not None
        self._looks -= 1
        self._next_look.start(self._silence / _LOOKS)

    def _look(self) -> None:
        if self._connection.frames_received != self._frames_seen:
            self._listen()
        elif self._looks:
            self._look_later()
        elif self._connection.reading:
            self._probe()
        else:
            self._log.warn(
                "nothing was read for {seconds:g} seconds: a subscription, a listener, or "
                "the server with our answers, is behind",
                seconds=self._silence,
            )
            self._listen()

    def _probe(self) -> None:
        if self._ping is None:
            self._ping = self._connection.ping()
        self._judgement.start(self._timeout)

    def _judge(self) -> None:
        assert self._silence is not None
        if self._connection.frames_received != self._frames_seen or not self._connection.reading:
            if not self._answer.running:
                self._ping = None  # it was the probe's, and something else answered it
            self._listen()
        else:
            seconds = self._silence + self._timeout
            self._connection.silent(f"nothing was received for {seconds:g} seconds")
