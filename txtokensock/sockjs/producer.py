"""
Flow control of what a protocol sends: its producer is paused while too much waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..support.timer import NextTurn

__all__ = ["ProducerFlow"]


class ProducerFlow:
    """
    Pauses and resumes the producer that a protocol registered.

    A pull producer is asked for more once in each turn of the reactor, as long as there is
    room.  A producer that raises is unregistered.

    :param reactor: for the turns of a pull producer.
    """

    _log = Logger()

    __slots__ = ("_held", "_producer", "_pull", "_reactor", "_stopped", "_streaming")

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._producer: Any = None
        self._streaming = False
        self._held = False
        self._stopped = False
        self._pull: NextTurn | None = None  # hardly any has a pull producer

    def register(self, producer: Any, streaming: bool) -> None:
        """
        :param producer: an :class:`~twisted.internet.interfaces.IPushProducer`, or, if not
            ``streaming``, an :class:`~twisted.internet.interfaces.IPullProducer`.
        :raises RuntimeError: if there is one already, as Twisted's transports do.
        """
        if self._producer is not None:
            raise RuntimeError(f"cannot register {producer!r}: another producer is registered")
        self._producer, self._streaming = producer, streaming
        if self._stopped:
            self.stop()
        elif self._held and streaming:
            self._tell(producer.pauseProducing)
        elif not self._held and not streaming:
            self._ask_later()

    def unregister(self) -> None:
        """Do not pause or resume the producer any more."""
        self._producer = None
        self._ask_not()

    def hold(self) -> None:
        """Pause the producer, for too much waits to be sent."""
        if self._held:
            return
        self._held = True
        self._ask_not()
        if self._producer is not None and self._streaming:
            self._tell(self._producer.pauseProducing)

    def release(self) -> None:
        """Resume the producer, for there is room again."""
        if not self._held:
            return
        self._held = False
        if self._producer is not None:
            if self._streaming:
                self._tell(self._producer.resumeProducing)
            else:
                self._ask_later()

    def stop(self) -> None:
        """Tell the producer, once, to stop: nothing can be sent any more."""
        self._stopped = True
        producer = self._producer
        self.unregister()
        if producer is not None:
            self._tell(producer.stopProducing)

    def _ask_later(self) -> None:
        if self._pull is None:
            self._pull = NextTurn(self._reactor, self._ask)
        self._pull.schedule()

    def _ask_not(self) -> None:
        if self._pull is not None:
            self._pull.cancel()

    def _ask(self) -> None:
        self._tell(self._producer.resumeProducing)
        if self._producer is not None and not self._held:
            self._ask_later()

    def _tell(self, method: Callable[[], object]) -> None:
        try:
            method()
        except BaseException:
            self._log.failure(
                "a producer raised, and is unregistered", event="sockjs.producer_failed"
            )
            self.unregister()
