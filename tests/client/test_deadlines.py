"""
Many deadlines on one timer.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from txtokensock.errors import CallTimeout

from ..common import ServerTestCase


class DeadlineTests(ServerTestCase):
    """Calls whose time is over, in all orders."""

    def test_call_in_the_errback(self) -> None:
        """A call made when another has timed out does not put off those that come next."""
        client = self.ready()
        times: list[float] = []
        more: list[Any] = []

        def failed(_: object) -> None:
            times.append(self.server.clock.seconds())
            more.append(client.rpc("more", timeout=100).addErrback(lambda _: None))

        for timeout in (10, 11, 12):
            client.rpc("f", timeout=timeout).addErrback(failed)
        self.advance(20)
        self.assertEqual(times, [10, 11, 12])

    def test_end_in_the_errback(self) -> None:
        """The client may be ended, and started again, when a call has timed out."""
        client = self.ready()

        def restart(_: object) -> None:
            client.end()
            client.startService()

        client.rpc("f", timeout=5).addErrback(restart)
        other = client.rpc("f", timeout=5)
        self.advance(5)
        self.failureResultOf(other)
        again = client.rpc("f", timeout=5)
        self.advance(5)
        self.failure(again, CallTimeout)

    def test_call_in_the_errback_of_the_end(self) -> None:
        """What is asked for after a start in the middle of an end is kept, and in time."""
        client = self.ready()
        again: list[Any] = []

        def restart(_: object) -> None:
            client.startService()
            again.append(client.rpc("again", timeout=5))

        client.rpc("f").addErrback(restart)
        self.settle()
        client.end()
        self.settle()
        self.assertEqual([m["rpc"] for m in self.session.received], ["again"])
        self.advance(5)
        self.failure(again[0], CallTimeout)

    @given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=200))
    def test_each_in_its_time(self, calls: list[tuple[int, bool]]) -> None:
        """Each fails when its own time is over, unless it was answered before."""
        client = self.client()
        failed: list[tuple[float, int]] = []
        clock: Clock = self.server.clock
        start = clock.seconds()
        for timeout, cancelled in calls:
            call = client.rpc("f", timeout=timeout)
            call.addErrback(
                lambda failure, timeout=timeout: failed.append(
                    (clock.seconds() - start, timeout) if failure.check(CallTimeout) else (0, 0)
                )
            )
            if cancelled:
                call.cancel()
        self.advance(51)
        expected = sorted((timeout, timeout) for timeout, cancelled in calls if not cancelled)
        self.assertEqual([f for f in failed if f != (0, 0)], expected)
        self.assertEqual(list(clock.getDelayedCalls()), [])
