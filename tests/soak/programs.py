"""
The soak's child processes, as the conductor has them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError
from twisted.python.failure import Failure

from tests.interop.proxies import tinyproxy_command
from tests.kit.processes import ChildFailed, CommandedProgram, SilentProgram
from tests.kit.resources import Held, held_by, processor_seconds

__all__ = ["Program", "Tinyproxy"]

PATIENCE = 60.0
"""Seconds for an answer of a child, also on a busy machine."""

Hear = Callable[[str, dict[str, Any]], None]


class Program(CommandedProgram):
    """
    A module here as a process, that obeys, and tells what happens.

    :param module: its name.
    :param options: what each of its lives is started with.
    :param hear: called with the module's name and each event: also ``ended`` for an end that
        was not asked for, and ``noise`` for a line that is none.
    :ivar lives: how often it was started.
    """

    start_seconds = PATIENCE

    def __init__(self, module: str, options: dict[str, object], hear: Hear) -> None:
        super().__init__(f"tests.soak.{module}")
        self.name = module
        self.lives = 0
        self._options = options
        self._hear = hear
        self._asked_to_end = False
        self._waiting: list[tuple[str, Deferred[dict[str, Any]]]] = []

    def command(self) -> list[str]:
        options = {**self._options, "life": self.lives}
        return [*super().command(), *(f"--{key}={value}" for key, value in options.items())]

    async def start(self) -> None:
        """Run it until it is ready; fails with :exc:`~tests.kit.processes.ChildFailed`."""
        self.lives += 1
        self._asked_to_end = False
        await super().start()

    def tell(self, do: str, **arguments: Any) -> None:
        """Have it do something."""
        if self.running:
            self.write_line(json.dumps({"do": do, **arguments}))

    async def told(self, do: str, event: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Have it do something, until it tells ``event``."""
        told = self.next(event, seconds)
        self.tell(do)
        return await told

    def next(self, event: str, seconds: float = PATIENCE) -> Deferred[dict[str, Any]]:
        """
        :return: fires with the next such event.  Fails with :exc:`ChildFailed` after
            ``seconds``, and where the process ends.
        """
        waiting: Deferred[dict[str, Any]] = Deferred()
        self._waiting.append((event, waiting))

        def failed(failure: Failure) -> Failure:
            if failure.check(TimeoutError):
                return Failure(ChildFailed(f"{self.name}: no {event!r} for {seconds:g} s"))
            return failure

        return waiting.addTimeout(seconds, reactor).addErrback(failed)

    # -- its end

    async def kill(self) -> None:
        """SIGKILL: it ends without a word to anybody, and is reaped."""
        await self._end("KILL")

    async def terminate(self) -> None:
        """SIGTERM: it ends in order.  Fails where it does not."""
        await self._end("TERM")

    async def _end(self, how: str) -> None:
        if self.running:
            self._asked_to_end = True
            self.signal(how)
            await self.ended(PATIENCE)

    def stop(self) -> None:
        """SIGSTOP: its connections stay open, and nothing comes any more."""
        if self.running:
            super().stop()

    def cont(self) -> None:
        """SIGCONT: it goes on where it was."""
        if self.running:
            super().cont()

    # -- its account

    def held(self) -> Held:
        """What it holds now."""
        assert self.pid is not None
        return held_by(self.pid)

    def processor_seconds(self) -> float:
        """What it took of a processor in its present life."""
        return 0.0 if self.pid is None else processor_seconds(self.pid)

    # -- what it says

    def say(self, line: str) -> None:
        """The program said a line."""
        super().say(line)
        if line.startswith('{"event":'):
            self._tell(self.events[-1])
        else:
            self.make_noise(line)

    def make_noise(self, line: str) -> None:
        """It said what is not an event."""
        self._hear(self.name, {"event": "noise", "line": line})

    def _tell(self, event: dict[str, Any]) -> None:
        told = [one for name, one in self._waiting if name == event["event"] and not one.called]
        self._waiting = [
            entry for entry in self._waiting if entry[1] not in told and not entry[1].called
        ]
        self._hear(self.name, event)
        for waiting in told:
            waiting.callback(event)

    def has_ended(self, how: str) -> None:
        """The process is gone."""
        asked, waiting = self._asked_to_end, self._waiting
        self._waiting = []
        super().has_ended(how)  # whoever waited for that may start it again at once
        if not asked:
            self._hear(self.name, {"event": "ended", "why": how})
        for _, one in waiting:
            if not one.called:
                one.errback(ChildFailed(f"{self.name} has ended: {how}"))


class Tinyproxy(SilentProgram, Program):
    """
    Debian's tinyproxy, a real proxy, with which CONNECT leads to one port only.

    :param port: where it listens.
    :param to: that port.
    :param directory: for its configuration.
    """

    def __init__(self, port: int, to: int, directory: Path, hear: Hear) -> None:
        super().__init__("tinyproxy", {}, hear)
        self.port = port
        self._command = tinyproxy_command(
            directory,
            port,
            *("Allow 127.0.0.1", f"ConnectPort {to}", "Timeout 600", "MaxClients 100"),
            "LogLevel Critical",
        )

    def command(self) -> list[str]:
        return self._command

    async def start(self) -> None:
        """Run it until it accepts connections; fails where it is not installed."""
        if shutil.which("tinyproxy") is None:
            raise ChildFailed("tinyproxy is not installed: use CLIENTS without +proxy")
        await super().start()

    def make_noise(self, line: str) -> None:
        """Its log is its own."""
