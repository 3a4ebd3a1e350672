"""
Notices that a server is gone though its connection is still there.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..support.in_transit import InTransit
from ..support.timeouts import SLOWEST_LINK
from ..support.timer import Deadline, Timer

__all__ = ["KeepAlive", "Watched"]

_LOOKS = 4
"""How often in the time of a silence it is looked whether there is one."""

_GROWTH = 1024
"""Bytes by which a message has to grow in the time of a silence to be a sign of life."""

_USUAL_SILENCE = 60.0
"""Seconds of that time where there is no watch over silence."""


class Watched(Protocol):
    """A connection, as far as the keep-alive needs it."""

    @property
    def reading(self) -> bool:
        """Whether the transport is read at present: only then can an answer arrive."""

    @property
    def pause_count(self) -> int:
        """How often reading was stopped, or taken up again, so far."""

    @property
    def in_transit(self) -> InTransit:
        """What was sent, and may not have arrived."""

    @property
    def writable(self) -> bool:
        """Whether there is room for messages in our buffer."""

    @property
    def frames_received(self) -> int:
        """How many frames of any kind were received so far."""

    @property
    def bytes_received(self) -> int:
        """How many bytes of frames were received so far, complete or not."""

    @property
    def bytes_in_frames(self) -> int:
        """What :attr:`bytes_received` was when the last frame was complete."""

    def ping(self) -> str:
        """
        Send a ping.

        :return: the uuid that its answer will have.
        """

    def silent(self, problem: str) -> None:
        """Drop the connection: the server does not answer."""


class KeepAlive:
    """
    Two watches, each with ``timeout`` seconds for the answer, and more where what was sent
    before may delay the ping on a slow link:

    - every ``interval`` seconds a ``_ping`` is sent, and its answer must come; any
      answer will do, for a server without ping answers "Function not found";
    - after ``silence`` seconds without any frame at all, WebSocket pings included, a
      ``_ping`` is sent, and then any frame will do.  When the last frame came is known to
      a quarter of that time, by which the ping may come later.

    A message that takes long to come is a sign of life as long as it grows by 1 kB in
    ``silence`` seconds; answers wait behind it.  They also wait behind many short ones, so
    that a link which brought 25 kB for each second of ``timeout`` has no overdue answers.

    A connection that is not being read, because its user wants no more for now, is not
    judged.

    :param interval: seconds, or None for no regular pings.
    :param silence: seconds, or None.
    :ivar ping_uuid: what the answer to the ping will have, where one is waited for.
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
        self.ping_uuid: str | None = None
        self._next_ping = Timer(reactor, self._send_ping)
        self._answer = Deadline(reactor, self._unanswered)
        self._answer_time = timeout
        self._sent_before = 0
        self._pause_count = 0
        self._next_look = Timer(reactor, self._look)
        self._judgement = Deadline(reactor, self._judge)
        self._judgement_time = timeout
        self._frames_seen = 0
        self._bytes_seen = 0
        self._bytes_at_wait = 0
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

    def answered(self) -> None:
        """Take the answer to the ping."""
        self.ping_uuid = None
        self._answer.stop()
        self._connection.in_transit.arrived(self._sent_before)

    def _send(self) -> float:
        """
        Send a ping.

        :return: how many seconds its answer may take.
        """
        connection = self._connection
        delay = connection.in_transit.delay(buffer_full=not connection.writable)
        self._sent_before = connection.in_transit.sent
        self.ping_uuid = connection.ping()
        return self._timeout + delay

    # -- regular pings

    def _send_ping(self) -> None:
        assert self._interval is not None
        if self.ping_uuid is None and self._connection.reading:
            self._answer_time = self._send()
            self._await_answer()
        self._next_ping.start(self._interval)

    def _await_answer(self) -> None:
        self._pause_count = self._connection.pause_count
        self._bytes_at_wait = self._connection.bytes_received
        self._answer.start(self._answer_time)

    def _unanswered(self) -> None:
        # All of the deadline must have been time in which the answer could be heard.
        if (
            self._connection.reading
            and self._connection.pause_count == self._pause_count
            and not self._receives_much()
        ):
            seconds = self._answer_time
            self._connection.silent(f"no answer to a ping within {seconds:g} seconds")
        else:
            self._answer_time = self._timeout
            self._await_answer()

    def _receives_much(self) -> bool:
        """Whether the link was busy with what the server sent before the answer."""
        connection, seconds = self._connection, self._answer_time
        received = connection.bytes_received - self._bytes_at_wait
        if received >= self._timeout * SLOWEST_LINK:
            return True
        grown = min(received, connection.bytes_received - connection.bytes_in_frames)
        return grown >= _GROWTH * min(1, seconds / (self._silence or _USUAL_SILENCE))

    # -- silence

    def _listen(self) -> None:
        self._frames_seen = self._connection.frames_received
        self._bytes_seen = self._connection.bytes_received
        self._looks = _LOOKS
        self._look_later()

    def _look_later(self) -> None:
        assert self._silence is not None
        self._looks -= 1
        self._next_look.start(self._silence / _LOOKS)

    def _has_heard(self, silences: float = 1) -> bool:
        """
        Whether a frame came, or enough of one.

        :param silences: since when, in times of a silence.
        """
        connection = self._connection
        grown = connection.bytes_received - self._bytes_seen
        return connection.frames_received != self._frames_seen or grown >= _GROWTH * silences

    def _look(self) -> None:
        if self._has_heard():
            self._listen()
        elif self._looks:
            self._look_later()
        elif self._connection.reading:
            self._probe()
        else:
            self._log.warn(
                "nothing was read for {seconds:g} seconds: a subscription, a listener, or "
                "the server with our answers, is behind",
                event="client.not_read",
                seconds=self._silence,
            )
            self._listen()

    def _probe(self) -> None:
        if self.ping_uuid is None:
            self._judgement_time = self._send()
        else:
            self._judgement_time = self._answer_time
        self._judgement.start(self._judgement_time)

    def _judge(self) -> None:
        assert self._silence is not None
        silences = 1 + self._judgement_time / self._silence
        if self._has_heard(silences) or not self._connection.reading:
            if not self._answer.running:
                self.ping_uuid = None  # it was the probe's, and something else answered it
            self._listen()
        else:
            seconds = self._silence + self._judgement_time
            self._connection.silent(f"nothing was received for {seconds:g} seconds")
