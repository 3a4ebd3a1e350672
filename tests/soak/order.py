"""
Bookkeeping on what was heard: in order, never twice, and all of it.

A channel's message is known by its publisher's life and its number.  Lives are numbered as
well: they are those of a server that is killed and started anew, and then counts from 1.
"""

from __future__ import annotations

from .verdict import Verdict

__all__ = ["Increasing", "Iterated", "Turns", "Unbroken"]


class Increasing:
    """
    What one subscription heard of one channel: everything at most once, and in order, also
    across connections.

    :param name: the subscription's.
    :ivar heard: how many messages.
    """

    def __init__(self, name: str, verdict: Verdict) -> None:
        self.heard = 0
        self._name = name
        self._verdict = verdict
        self._last: tuple[int, int] | None = None

    def confirmed(self) -> None:
        """The server has confirmed the subscription."""

    def connected(self) -> None:
        """There is a new connection."""

    def hear(self, life: int, number: int) -> None:
        """A message."""
        self.heard += 1
        message, last = (life, number), self._last
        if last is not None and message <= last:
            rule = "a message came twice" if message == last else "a message came out of order"
            self._verdict.against(rule, f"{self._name}: {message} after {last}")
            return
        self._last = message
        if last is None or message != (last[0], last[1] + 1):
            self._gap(last, message)

    def _gap(self, last: tuple[int, int] | None, message: tuple[int, int]) -> None:
        """Something is missing before ``message``."""

    def _missing(self, last: tuple[int, int], message: tuple[int, int]) -> None:
        self._verdict.against("messages are missing", f"{self._name}: {message} after {last}")


class Unbroken(Increasing):
    """
    A subscription that is told of each message as it arrives: nothing is missing between
    the first message of a connection and its end.
    """

    def __init__(self, name: str, verdict: Verdict) -> None:
        super().__init__(name, verdict)
        self._confirmed = False
        self._complete = False

    def confirmed(self) -> None:
        self._confirmed = True

    def connected(self) -> None:
        self._complete = False

    def hear(self, life: int, number: int) -> None:
        super().hear(life, number)
        # Before that they may be the rest of an earlier subscription that is just ending.
        self._complete = self._confirmed

    def _gap(self, last: tuple[int, int] | None, message: tuple[int, int]) -> None:
        if self._complete and last is not None:
            self._missing(last, message)


class Iterated(Increasing):
    """
    A subscription that is iterated over, whose messages may have waited in its buffer since
    earlier connections: there are at most as many gaps as there were connections.
    """

    def __init__(self, name: str, verdict: Verdict) -> None:
        super().__init__(name, verdict)
        self._gaps_left = 1

    def connected(self) -> None:
        self._gaps_left += 1

    def _gap(self, last: tuple[int, int] | None, message: tuple[int, int]) -> None:
        self._gaps_left -= 1
        if self._gaps_left < 0:
            assert last is not None
            self._missing(last, message)


class Turns:
    """
    The calls that a server answers at once, and so in the order in which they were made on
    one connection: where a later one is answered first, the answer of the other was lost.

    :param name: the client's.
    """

    def __init__(self, name: str, verdict: Verdict) -> None:
        self._name = name
        self._verdict = verdict
        self._waiting: dict[int, None] = {}

    def connected(self) -> None:
        """There is a new connection; what was asked before may be answered, or not."""
        self._waiting.clear()

    def made(self, number: int) -> None:
        """A call."""
        self._waiting[number] = None

    def failed(self, number: int) -> None:
        """It failed: nobody waits for its answer any more."""
        self._waiting.pop(number, None)

    def answered(self, number: int) -> None:
        """It was answered."""
        if number not in self._waiting:
            return
        first = next(iter(self._waiting))
        if first != number:
            self._verdict.against("an answer is missing", f"{self._name}: {first} before {number}")
        del self._waiting[number]
