"""
One answer that is due, for a fault to spoil.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .carriers import Carrier
from .output import Output

__all__ = ["Fault", "Scene"]


def _nothing() -> None:
    pass


@dataclass
class Scene:
    """
    :ivar out: the connection on which it is due.
    :ivar honest: its bytes.
    :ivar deadline: seconds that the client waits for it.
    :ivar carrier: what carries frames there, or None.
    :ivar texts: the messages that it holds.
    :ivar proceed: what an honest peer does after it.
    :ivar keep: what carries frames is left for the next one.
    :ivar later: calls something after so many seconds.
    :ivar taken: whether what is answered with it was taken; what was not has no effect.
    :ivar again: gives the answer anew, where there is a way then.
    """

    out: Output
    honest: bytes
    deadline: float
    carrier: Carrier | None = None
    texts: Sequence[str] = ()
    proceed: Callable[[], None] = field(default=_nothing)
    keep: Callable[[], None] = field(default=_nothing)
    later: Callable[[float, Callable[[], None]], None] | None = None
    again: Callable[[], None] | None = None
    taken: bool = True

    def give(self) -> None:
        """The answer, as it should be."""
        self.out.write(self.honest)
        self.proceed()

    def give_later(self, seconds: float) -> None:
        """The answer, as it should be, but so many seconds from now."""
        self.keep()
        later = self.later or self.out.later
        later(seconds, self.again or self.give)

    def give_instead(self, data: bytes) -> None:
        """Other bytes, after which all goes on."""
        self.out.write(data)
        self.proceed()

    def frame(self, payload: bytes) -> None:
        """One frame instead, with any payload."""
        assert self.carrier is not None
        self.give_instead(self.carrier.frame(payload))

    def messages(self, *texts: str) -> None:
        """Messages instead, of any text."""
        assert self.carrier is not None
        self.give_instead(self.carrier.texts(texts))


Fault = Callable[[Scene], object]
"""Spoils a scene."""
