"""
Programs as child processes of the tests, on the global reactor: the parent's side.

Each is ended and reaped by its own process id.  Nothing here waits without a deadline, and
a deadline that passes shows what the child had printed until then.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from .ports import accepts_connections

__all__ = [
    "EVENT_SECONDS",
    "ROOT",
    "START_SECONDS",
    "ChildFailed",
    "CommandedProgram",
    "Program",
    "SilentProgram",
]

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
"""The checkout, where ``python -m`` finds our modules."""

START_SECONDS = 20.0
"""How long a child may take to start, or to end, on a busy machine."""

EVENT_SECONDS = 15.0
"""How long an event that must come may take."""


_LISTENS = "accepts connections"


class ChildFailed(AssertionError):
    """A child did not do what it must; the text holds what it printed."""


class Child(ProcessProtocol):
    """
    One process, its output by lines.

    :ivar ended: fires with a sentence on how it ended, when it was reaped.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.ended: Deferred[str] = Deferred()
        self._on_line = on_line
        self._partial = {1: b"", 2: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._partial[childFD] = (self._partial[childFD] + data).split(b"\n")
        for line in lines:
            self._on_line(line.decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        for descriptor, rest in self._partial.items():
            # What is left of stdout may be half an event, of one that was killed.
            if rest and not (descriptor == 1 and rest.startswith(b"{")):
                self._on_line(rest.decode("utf-8", "replace"))
        reason.trap(ProcessDone, ProcessTerminated)
        self.ended.callback(str(reason.value))


class Program:
    """
    A program in a child process; a subclass says which.

    :ivar output: every line that it printed, over all its lives.
    :ivar events: those of them that are events, decoded: the JavaScript programs here
        print one as a line of JSON that begins with ``{"event":``.
    :ivar directory: where it runs.
    :ivar pid: of its present life, or None.
    :ivar start_seconds: how long it may take to start.
    """

    name: str
    directory: Path = ROOT
    start_seconds = START_SECONDS

    def __init__(self) -> None:
        self.output: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.pid: int | None = None
        self._child: Child | None = None
        self._watchers: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def command(self) -> list[str]:
        """The program, looked up in PATH, and its arguments."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What the child finds in its environment besides ours."""
        return {}

    def is_ready(self, line: str) -> bool:
        """Whether this line of output says that it is ready."""
        raise NotImplementedError

    async def start(self) -> None:
        """Run it until it is ready; a child that ends instead fails at once."""
        seen = len(self.output)
        child = self._child = Child(self.say)
        program, *arguments = self.command()
        environment = {**os.environ, **self.environment()}
        self._process = reactor.spawnProcess(
            child, program, [program, *arguments], environment, str(self.directory)
        )
        self.pid = self._process.pid
        child.ended.addCallback(self.has_ended)
        await self.until(
            lambda: self._child is not child or any(map(self.is_ready, self.output[seen:])),
            self.start_seconds,
            "start",
        )
        if self._child is not child:
            raise ChildFailed(f"{self.name} ended at its start\n{self.log()}")

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._child is not None

    def signal(self, name: str) -> None:
        """Send a signal, such as "INT", "TERM" or "HUP"."""
        self._process.signalProcess(name)

    def write_line(self, line: str) -> None:
        """Write a line to its standard input."""
        self._process.write(line.encode() + b"\n")

    def end_input(self) -> None:
        """Close its standard input."""
        self._process.closeStdin()

    def ended(self, seconds: float = START_SECONDS) -> Deferred[str]:
        """:return: fires with a sentence on how it ended, when it has; see :meth:`until`."""
        return self.until(
            lambda: "" if self.running else self.output[-1], seconds, "end of the process"
        )

    async def kill(self) -> None:
        """SIGKILL: it ends without a word to anybody, and is reaped."""
        self.signal("KILL")
        await self.ended()

    def stop(self) -> None:
        """SIGSTOP: its connections stay open, and nothing comes any more."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT: it goes on where it was."""
        os.kill(self._process.pid, signal.SIGCONT)

    async def close(self) -> None:
        """End it for good.  Its log goes to stdout, which pytest shows for a failed test."""
        if self.running:
            await self.kill()
        print(self.log())

    def log(self) -> str:
        """What it printed, for people."""
        return "\n".join([f"--- {self.name}", *self.output, "---"])

    def seen(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """
        The events so far of that name and with these fields, in order.  They come on a
        way of their own, behind what the program did: to count them, wait with
        :meth:`event` for one that comes later.
        """
        wanted = {"event": event, **fields}
        return [one for one in self.events if wanted.items() <= one.items()]

    def event(self, event: str, count: int = 1, **fields: Any) -> Deferred[Any]:
        """:return: fires when ``count`` such events have happened, see :meth:`until`."""
        what = f"event number {count} of {event} {fields}"
        return self.until(lambda: len(self.seen(event, **fields)) >= count, what=what)

    def line(self, text: str, count: int = 1, seconds: float = EVENT_SECONDS) -> Deferred[str]:
        """:return: fires with the ``count``-th line so far that holds the text."""

        def found() -> str | None:
            lines = [line for line in self.output if text in line]
            return lines[count - 1] if len(lines) >= count else None

        return self.until(found, seconds, f"line {count} with {text!r}")

    def until(
        self, condition: Callable[[], T], seconds: float = EVENT_SECONDS, what: str = "event"
    ) -> Deferred[T]:
        """
        :return: fires with what ``condition`` returns once that is true; it is asked now
            and whenever the child printed a line or ended.  Fails with
            :exc:`ChildFailed` after ``seconds``.
        """
        waiting: Deferred[T] = Deferred()

        def too_late(*_: object) -> Failure:
            return Failure(ChildFailed(f"no {what} within {seconds:g} s\n{self.log()}"))

        waiting.addTimeout(seconds, reactor, too_late)
        self._watchers.append((condition, waiting))
        self._look()
        return waiting

    def say(self, line: str) -> None:
        """The program said a line, on its output or otherwise."""
        self.output.append(line)
        if line.startswith('{"event":'):
            self.events.append(json.loads(line))
        self._look()

    def has_ended(self, how: str) -> None:
        """The process is gone, and reaped."""
        self._child = self.pid = None
        self.output.append(how)
        self._look()

    def _look(self) -> None:
        watchers, self._watchers = self._watchers, []
        for condition, waiting in watchers:
            result = None if waiting.called else condition()
            if result:
                waiting.callback(result)
            elif not waiting.called:
                self._watchers.append((condition, waiting))


class SilentProgram(Program):
    """
    A server that does not say when it listens: somebody has to try.

    :ivar port: on which it listens.
    """

    port: int

    def is_ready(self, line: str) -> bool:
        return line == _LISTENS

    async def start(self) -> None:
        """Run it until it accepts connections."""
        trying = Deferred.fromCoroutine(accepts_connections(self.port))
        trying.addCallback(lambda _: self.say(_LISTENS))
        try:
            await super().start()
        finally:
            trying.addErrback(lambda _: None)
            trying.cancel()


class CommandedProgram(Program):
    """
    ``python -m MODULE``: a program that obeys, see :mod:`tests.kit.commands`.

    :param module: its name.
    :param arguments: more of the command line.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        super().__init__()
        self.name = module.removeprefix("tests.")
        self._command = [sys.executable, "-m", module, *arguments]
        self._ids = itertools.count(1)

    def command(self) -> list[str]:
        return self._command

    def is_ready(self, line: str) -> bool:
        return line.startswith('{"event":"ready"')

    async def ask(self, do: str, **arguments: Any) -> Any:
        """
        Have it do something.

        :return: what came of it.
        """
        number = next(self._ids)
        self.write_line(json.dumps({"id": number, "do": do, **arguments}))
        await self.event("done", id=number)
        return self.seen("done", id=number)[0]["result"]
