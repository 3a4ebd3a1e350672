"""
Programs as child processes of the tests, on the global reactor.

Each is ended and reaped by its own process id.  Nothing here waits without a deadline, and
a deadline that passes shows what the child had printed until then.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

T = TypeVar("T")

NODE = Path(__file__).parents[1] / "interop" / "node"
"""Where the JavaScript programs and their ``node_modules`` are."""

START_SECONDS = 20.0
"""How long a child may take to start, or to end, on a busy machine."""

EVENT_SECONDS = 15.0
"""How long an event that must come may take."""


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
        for rest in filter(None, self._partial.values()):
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
    :ivar start_seconds: how long it may take to start.
    """

    name: str
    directory: Path = NODE
    start_seconds = START_SECONDS

    def __init__(self) -> None:
        self.output: list[str] = []
        self.events: list[dict[str, Any]] = []
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
        child.ended.addCallback(self._has_ended)
        await self.until(
            lambda: self._child is not child or any(map(self.is_ready, self.output[seen:])),
            self.start_seconds,
            "start",
        )
        if self._child is not child:
            raise ChildFailed(f"{self.name} ended at its start\n{self.log()}")

    async def kill(self) -> None:
        """SIGKILL: it ends without a word to anybody, and is reaped."""
        self._process.signalProcess("KILL")
        await self.until(lambda: self._child is None, START_SECONDS, "end of the process")

    def stop(self) -> None:
        """SIGSTOP: its connections stay open, and nothing comes any more."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT: it goes on where it was."""
        os.kill(self._process.pid, signal.SIGCONT)

    async def close(self) -> None:
        """End it for good.  Its log goes to stdout, which pytest shows for a failed test."""
        if self._child is not None:
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

    def _has_ended(self, how: str) -> None:
        self._child = None
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
