"""
The soak's child processes, as the conductor has them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.kit.resources import Held, held_by, processor_seconds

__all__ = ["Program", "ProgramFailed", "Tinyproxy"]

ROOT = Path(__file__).parents[2]

PATIENCE = 60.0
"""Seconds for an answer of a child, also on a busy machine."""

Hear = Callable[[str, dict[str, Any]], None]


class ProgramFailed(Exception):
    """A child did not do what it must."""


class _Process(ProcessProtocol):
    """One life of a child: its output by lines, and its end."""

    def __init__(self, on_line: Callable[[str], None], on_end: Callable[[Failure], None]) -> None:
        self._on_line = on_line
        self._on_end = on_end
        self._partial = {1: b"", 2: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._partial[childFD] = (self._partial[childFD] + data).split(b"\n")
        for line in lines:
            self._on_line(line.decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        # What is left of stdout is half an event, of one that was killed.
        if self._partial[2]:
            self._on_line(self._partial[2].decode("utf-8", "replace"))
        self._on_end(reason)


class Program:
    """
    A module here as a process, that obeys, and tells what happens, in lines of JSON.

    :param module: its name.
    :param options: what each of its lives is started with.
    :param hear: called with the module's name and each event: also ``ended`` for an end that
        was not asked for, and ``noise`` for a line that is none.
    :ivar lives: how often it was started.
    :ivar pid: of the present life, or None.
    """

    def __init__(self, module: str, options: dict[str, object], hear: Hear) -> None:
        self.name = module
        self.lives = 0
        self.pid: int | None = None
        self._options = options
        self._hear = hear
        self._asked_to_end = False
        self._waiting: list[tuple[str, Deferred[dict[str, Any]]]] = []

    async def start(self) -> None:
        """Run it until it is ready; fails with :exc:`ProgramFailed`."""
        self.lives += 1
        options = {**self._options, "life": self.lives}
        arguments = [f"--{key}={value}" for key, value in options.items()]
        self._spawn([sys.executable, "-m", f"tests.soak.{self.name}", *arguments])
        await self.next("ready")

    def _spawn(self, command: list[str]) -> None:
        self._asked_to_end = False
        self._process = reactor.spawnProcess(
            _Process(self._line, self._ended), command[0], command, dict(os.environ), str(ROOT)
        )
        self.pid = self._process.pid

    def tell(self, do: str, **arguments: Any) -> None:
        """Have it do something."""
        if self.pid is not None:
            command = json.dumps({"do": do, **arguments})
            self._process.write(command.encode("ascii") + b"\n")

    async def ask(self, do: str, event: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Have it do something, until it tells ``event``."""
        told = self.next(event, seconds)
        self.tell(do)
        return await told

    def next(self, event: str, seconds: float = PATIENCE) -> Deferred[dict[str, Any]]:
        """
        :return: fires with the next such event.  Fails with :exc:`ProgramFailed` after
            ``seconds``, and where the process ends.
        """
        waiting: Deferred[dict[str, Any]] = Deferred()
        self._waiting.append((event, waiting))

        def failed(failure: Failure) -> Failure:
            if failure.check(TimeoutError):
                return Failure(ProgramFailed(f"{self.name}: no {event!r} for {seconds:g} s"))
            return failure

        return waiting.addTimeout(seconds, reactor).addErrback(failed)

    # -- its end

    async def kill(self) -> None:
        """SIGKILL: it ends without a word to anybody, and is reaped."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> None:
        """SIGTERM: it ends in order.  Fails with :exc:`ProgramFailed` where it does not."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self.pid is not None:
            self._asked_to_end = True
            over = self.next("over")
            os.kill(self.pid, how)
            await over

    def stop(self) -> None:
        """SIGSTOP: its connections stay open, and nothing comes any more."""
        self._signal(signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT: it goes on where it was."""
        self._signal(signal.SIGCONT)

    def _signal(self, which: signal.Signals) -> None:
        if self.pid is not None:
            os.kill(self.pid, which)

    # -- its account

    def held(self) -> Held:
        """What it holds now."""
        assert self.pid is not None
        return held_by(self.pid)

    def processor_seconds(self) -> float:
        """What it took of a processor in its present life."""
        return 0.0 if self.pid is None else processor_seconds(self.pid)

    # -- what it says

    def _line(self, line: str) -> None:
        if line.startswith('{"event":'):
            self._tell(json.loads(line))
        else:
            self._hear(self.name, {"event": "noise", "line": line})

    def _tell(self, event: dict[str, Any]) -> None:
        told = [one for name, one in self._waiting if name == event["event"] and not one.called]
        self._waiting = [
            entry for entry in self._waiting if entry[1] not in told and not entry[1].called
        ]
        self._hear(self.name, event)
        for waiting in told:
            waiting.callback(event)

    def _ended(self, reason: Failure) -> None:
        self.pid = None
        how = reason.getErrorMessage()
        if not self._asked_to_end:
            self._hear(self.name, {"event": "ended", "why": how})
        self._tell({"event": "over"})
        waiting, self._waiting = self._waiting, []
        for _, one in waiting:
            if not one.called:
                one.errback(ProgramFailed(f"{self.name} has ended: {how}"))


class Tinyproxy(Program):
    """
    Debian's tinyproxy, a real proxy, with which CONNECT leads to one port only.

    :param port: where it listens.
    :param to: that port.
    :param directory: for its configuration.
    """

    def __init__(self, port: int, to: int, directory: Path, hear: Hear) -> None:
        super().__init__("tinyproxy", {}, hear)
        self._port = port
        self._configuration = directory / "tinyproxy.conf"
        lines = (
            *(f"Port {port}", "Listen 127.0.0.1", "Allow 127.0.0.1", f"ConnectPort {to}"),
            *("Timeout 600", "MaxClients 100", "LogLevel Critical"),
        )
        self._configuration.write_text("\n".join(lines) + "\n", encoding="ascii")

    async def start(self) -> None:
        """Run it until it takes connections; fails with :exc:`ProgramFailed`."""
        program = shutil.which("tinyproxy")
        if program is None:
            raise ProgramFailed("tinyproxy is not installed: use CLIENTS without +proxy")
        self._spawn([program, "-d", "-c", str(self._configuration)])
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self._port)
        deadline = reactor.seconds() + PATIENCE
        while True:
            try:
                probe = await connectProtocol(endpoint, Protocol())
                break
            except ConnectError:
                if self.pid is None or reactor.seconds() > deadline:
                    raise ProgramFailed("tinyproxy does not listen") from None
                await deferLater(reactor, 0.1)
        probe.transport.abortConnection()

    def _line(self, line: str) -> None:
        """Its log is its own."""
