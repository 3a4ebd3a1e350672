"""The spool alone: what is asked of it when it ends, and its own thread."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python import threadpool
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.webhooks.database import SpoolUnavailable, SQLite, prepare
from txtokensock.bridge.webhooks.spool import Spool
from txtokensock.bridge.webhooks.spool_tables import Delivery, SpoolLimits

from .support import MemoryDatabase

LIMITS = SpoolLimits(messages=5, bytes=60, drop_oldest=False)


class SpoolTestCase(SynchronousTestCase):
    """With a directory."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-spool-")
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "spool")


class EndTests(SpoolTestCase):
    """It is closed while somebody still waits."""

    def setUp(self) -> None:
        super().setUp()
        prepare(self.path)
        self.clock = Clock()
        self.database = MemoryDatabase(self.path, self.clock)
        self.addCleanup(self.database.connection.close)
        # The real one lets a transaction that has begun come to its end.
        self.patch(self.database, "close", lambda: None)
        self.dropped: list[tuple[str, int, str]] = []
        self.spool = Spool(
            self.database, self.clock, lambda totals: None, lambda *what: self.dropped.append(what)
        )

    def turns(self) -> None:
        """What takes no time happens."""
        for _ in range(5):
            self.clock.advance(0)

    def test_waiting(self) -> None:
        """Who asked for something is told that it will not come; what came is lost, and said."""
        asked = self.spool.submit(lambda cursor: 1)
        self.spool.append(Delivery("msg_1", "rule", 0.0, b"x"), LIMITS)
        idle = self.spool.flush()
        self.spool.close()
        self.spool.close()
        self.failureResultOf(asked, CancelledError)
        self.successResultOf(idle)
        ((rule, count, _),) = self.dropped
        self.assertEqual((rule, count), ("rule", 1))
        self.turns()  # the transaction that had begun ends, and changes nothing

    def test_afterwards(self) -> None:
        """It takes nothing more."""
        self.spool.close()
        self.failureResultOf(self.spool.submit(lambda cursor: 1), CancelledError)
        self.spool.append(Delivery("msg_1", "rule", 0.0, b"x"), LIMITS)
        self.assertEqual(self.dropped, [("rule", 1, "the spool is closed")])

    def test_failing_disk(self) -> None:
        """A transaction that fails when all is over is tried no more."""
        asked = self.spool.submit(lambda cursor: cursor.execute("no SQL"))
        self.spool.close()
        self.failureResultOf(asked, CancelledError)
        self.turns()
        self.assertIsNone(self.spool.problem)

    def test_reading_fails(self) -> None:
        """What needs no writing waits with the rest where reading fails as well."""
        self.database.full = True
        self.spool.append(Delivery("msg_1", "rule", 0.0, b"x"), LIMITS)
        self.turns()
        self.assertIn("full", self.spool.problem or "")

        def fails(cursor: Any) -> int:
            return int(cursor.execute("no SQL").fetchone()[0])

        asked = self.spool.submit(lambda cursor: 2, without_writing=fails)
        self.turns()
        self.assertNoResult(asked)
        self.database.full = False
        self.clock.pump([1] * 4)
        self.assertEqual(self.successResultOf(asked), 2)
        self.spool.close()

    def test_reading_ends_too_late(self) -> None:
        """Nobody waits for what was read when all is over."""
        self.database.full = True
        self.spool.append(Delivery("msg_1", "rule", 0.0, b"x"), LIMITS)
        self.turns()
        asked = self.spool.submit(lambda cursor: 2, without_writing=lambda cursor: 3)
        self.spool.close()
        self.failureResultOf(asked, CancelledError)
        self.turns()


class AtOnce:
    """A pool whose thread is this one."""

    def __init__(self, *_: object, **__: object) -> None:
        self.running = False

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def callInThreadWithCallback(
        self, told: Callable[[bool, Any], object], function: Callable[[], Any], *args: Any
    ) -> None:
        assert self.running
        try:
            result = function(*args)
        except Exception:
            told(False, Failure())
        else:
            told(True, result)


class Reactor(MemoryReactorClock):
    """Has no other threads to be called from."""

    def callFromThread(self, function: Callable[..., object], *args: object) -> None:
        function(*args)


class FileTests(SpoolTestCase):
    """The database itself."""

    def test_transactions(self) -> None:
        """One that fails leaves nothing behind, and the next begins anew."""
        self.patch(threadpool, "ThreadPool", AtOnce)
        prepare(self.path)
        reactor = Reactor()
        database = SQLite(self.path, reactor)
        reactor.run()
        self.successResultOf(database.run(lambda cursor: cursor.execute("CREATE TABLE t (a)")))

        def half(cursor: Any) -> None:
            cursor.execute("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError

        self.failureResultOf(database.run(half), ZeroDivisionError)
        counted = database.run(lambda one: one.execute("SELECT count(*) FROM t").fetchone())
        self.assertEqual(self.successResultOf(counted), (0,))
        database.close()

    def test_no_directory(self) -> None:
        """A spool in a directory that is not there is refused, in one line."""
        problem = self.assertRaises(SpoolUnavailable, prepare, self.path / "spool")
        self.assertIn("cannot be used: No such file or directory", str(problem))
