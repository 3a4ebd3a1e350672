"""
Loops that were left, and are noticed by the garbage collector: in any thread.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock
from zope.interface import implementer

from .support import SubscriptionTestCase


@implementer(IReactorFromThreads)
class ThreadedClock(Clock):
    """A clock that threads may call, as they may a reactor."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Callable[[], Any]] = []

    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.asked.append(lambda: callable(*args, **kwargs))

    def advance(self, amount: float) -> None:
        asked, self.asked = self.asked, []
        for function in asked:
            function()
        super().advance(amount)


class GarbageTests(SubscriptionTestCase):
    """A loop over a full buffer is left, and lies in a cycle."""

    clock_type = ThreadedClock

    def setUp(self) -> None:
        super().setUp()
        self.resumed: list[int] = []

    @property
    def asked(self) -> list[Callable[[], Any]]:
        """What the reactor was asked to call, and has not called yet."""
        assert isinstance(self.server.clock, ThreadedClock)
        return self.server.clock.asked

    def leave(self) -> None:
        """Have another thread's garbage collector find it."""
        cycle: list[Any] = [aiter(self.subscribed())]
        cycle.append(cycle)
        self.publish(*range(10))
        self.assertFalse(self.reading)
        (client, _) = self.server.network.open[-1]
        resume = client.resumeProducing

        def resumed() -> None:
            self.resumed.append(threading.get_ident())
            resume()

        self.patch(client, "resumeProducing", resumed)
        del cycle
        thread = threading.Thread(target=gc.collect)
        thread.start()
        thread.join()

    def test_in_the_reactors_thread(self) -> None:
        """The socket is read again, and it is the reactor that does it."""
        self.leave()
        self.assertEqual(self.resumed, [])
        self.settle()
        self.assertEqual(self.resumed, [threading.get_ident()])
        self.assertTrue(self.reading)

    def test_ended_meanwhile(self) -> None:
        """Where the client was ended before the reactor's turn, there is nothing to do."""
        self.leave()
        self.socket.end()
        self.settle()
        self.assertEqual(self.asked, [])

    def test_after_the_end(self) -> None:
        """A loop that goes after its subscription asks nothing of a reactor."""
        iterator = aiter(self.subscribed())
        self.socket.end()
        self.settle()
        del iterator
        gc.collect()
        self.assertEqual(self.asked, [])
