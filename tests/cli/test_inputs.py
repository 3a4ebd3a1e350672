"""The data that commands send."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.cli.inputs import paced, stdin_lines
from txtokensock.errors import InvalidData

from . import test_command_line
from .test_command_line import parsed


class Reactor(Clock):
    """Knows what is to be read."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    def read(self) -> None:
        """All that can be read is there now."""
        for reader in list(self.readers):
            reader.doRead()


class LinesTests(SynchronousTestCase):
    """Lines, from a pipe."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.read, self.write = os.pipe()
        self.addCleanup(os.close, self.read)
        self.lines: list[bytes] = []

        async def collect() -> None:
            async for line in stdin_lines(self.reactor, self.read):
                self.lines.append(line)

        self.reading = Deferred.fromCoroutine(collect())

    def feed(self, data: bytes) -> None:
        os.write(self.write, data)
        self.reactor.read()

    def test_lines(self) -> None:
        """Each is there when its end is, the last also without one."""
        self.feed(b"a\nb")
        self.assertEqual(self.lines, [b"a"])
        self.feed(b"c\n\nd")
        self.assertEqual(self.lines, [b"a", b"bc", b""])
        os.close(self.write)
        self.reactor.read()
        self.assertEqual(self.lines[-1], b"d")
        self.assertIsNone(self.successResultOf(self.reading))

    def test_cancel(self) -> None:
        """Who is no longer asked reads nothing."""
        self.reading.cancel()
        self.failureResultOf(self.reading, CancelledError)
        self.assertEqual(self.reactor.readers, [])
        os.close(self.write)

    def test_closed(self) -> None:
        """Some reactors say of a pipe that it is closed, instead of that it can be read."""
        self.feed(b"a")
        os.close(self.write)
        self.reactor.readers[0].connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.lines, [b"a"])
        self.successResultOf(self.reading)

    def test_unreadable(self) -> None:
        """What cannot be read is an error of the command."""
        os.close(self.write)
        self.reactor.readers[0]._descriptor = -1
        self.reactor.read()
        failure = self.failureResultOf(self.reading, InvalidData)
        self.assertEqual(str(failure.value), "stdin cannot be read: Bad file descriptor")


class PaceTests(SynchronousTestCase):
    """How often, and how fast."""

    def test_rate(self) -> None:
        """The first at once, and then no more than so many a second."""
        reactor = Reactor()
        times: list[float] = []

        async def collect(values: AsyncIterator[Any]) -> None:
            async for value in values:
                self.assertEqual(value, {"a": 1})
                times.append(reactor.seconds())

        running = Deferred.fromCoroutine(collect(paced(reactor, {"a": 1}, 3, 2.0)))
        self.assertEqual(times, [0])
        reactor.pump([0.25] * 4)
        self.assertEqual(times, [0, 0.5, 1])
        self.successResultOf(running)


class DataTests(SynchronousTestCase):
    """The forms that data has on a command line."""

    outcome = test_command_line.CommandLineTests.outcome

    def test_file(self) -> None:
        """A file has a value, on as many lines as it likes."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write('{\n "a": 1\n}\n')
        self.assertEqual(parsed("rpc", "f", f"@{path}")[1]["data"], {"a": 1})
        for arguments in (["rpc", "f", "@/nonexistent"], ["publish", "a", "@"]):
            _, err, status = self.outcome(*arguments)
            self.assertEqual((status, err.count("\n")), (2, 1), err)

    def test_bare_word(self) -> None:
        """Who forgets the quotes is told what to type, quoted for the shell."""
        for word, typed in (("foo", """'"foo"'"""), ("don't", """'"don'"'"'t"'""")):
            _, err, status = self.outcome("publish", "a", word)
            self.assertEqual(status, 2)
            self.assertIn(f"; for this text type {typed}", err)
        self.assertNotIn("type", self.outcome("publish", "a", "{foo")[1])

    def test_how_often(self) -> None:
        """A number above zero."""
        arguments = parsed("rpc", "f", "1", "--count", "3", "--rate", "0.5", "--raw")[1]
        self.assertEqual(arguments, {"name": "f", "data": 1, "count": 3, "rate": 0.5, "raw": True})
        for option in ("--count=0", "--count=x", "--count=1.5", "--rate=0", "--rate=inf"):
            self.assertEqual(self.outcome("publish", "a", "1", option)[2], 2)
