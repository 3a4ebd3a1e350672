"""
The processes of one target, pinned so that they do not take each other's processor time.

What is attacked has a processor of its own.  The honest client shares another one with the
attacker, whose priority is lower: it is served as if the attacker were on another machine.
"""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.interop.crossbar import Crossbar
from tests.interop.support import until
from tests.interop.twistd import Bridge, Serve
from tests.kit.certificates import self_signed
from tests.kit.processes import CommandedProgram, Program
from tests.kit.resources import held_by

from .attack import Attack
from .attacks_bridge import ATTACKER_KEY
from .honest import HONEST_KEY

__all__ = ["STAGES", "Run", "Stage"]

MIB = 1 << 20
MEMORY = 32 * MIB
"""What an attack may leave behind."""

MEMORY_SECONDS = 5.0
SETTLE = 0.3
"""Seconds for which the honest client is looked at when an attack is over."""

QUIET = 2.0
"""Seconds of the quiet run."""

_BAD = ("Traceback", "Unhandled", "Fatal")

_WAMP = """
[wamp]
url = "{url}"
realm = "realm1"

[[wamp.channels]]
channel = "news-*"
topic = "com.example.news.*"
direction = "to-upstream"

[[wamp.calls]]
procedure = "com.example.rpc.*"
rpc = "*"
"""

_BRIDGE = """
[http]
listen = "tcp:{http}:interface=127.0.0.1"

[[http.keys]]
name = "honest"
secret = {{ env = "HONEST_KEY" }}
channels = ["honest"]
procedures = ["echo"]

[[http.keys]]
name = "attacker"
secret = {{ env = "ATTACKER_KEY" }}
channels = ["news*"]
procedures = ["echo", "wait"]

[[http.keys]]
name = "signer"
scheme = "signed"
secret = {{ env = "SIGNER_KEY" }}
channels = ["news*"]
"""


@dataclass(frozen=True)
class Run:
    """
    What came of one attack.

    :ivar waited: the longest wait of the honest client, in seconds.
    :ivar newcomers: that of those who come and go.
    :ivar failures: the calls that failed.
    :ivar answers: what was answered to the attacker, on how many connections.
    :ivar memory: bytes that are in memory besides those at the start.
    :ivar logged: lines that should not be in the log.
    :ivar died: the processes that ended.
    """

    waited: float
    newcomers: float
    failures: list[str]
    answers: dict[str, int]
    memory: int
    logged: list[str]
    died: list[str]
    seconds: float = 0.0


class Stage:
    """
    A target, with its honest client and its attacker.

    :ivar port: what is attacked.
    :ivar quiet: the longest wait of the honest client while nobody attacks, in seconds.
    """

    kind = "server"

    def __init__(self, directory: Path) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self._directory = directory
        self._core, self._other = cores[0], cores[-1]
        self._programs: list[Program] = []
        self.quiet = 0.0
        self.port = 0
        self.router: int | None = None

    def targets(self) -> list[Program]:
        """What is attacked, and what that stands on, in the order of their start."""
        server = Serve("--actions", "tests.neighbours.programs:ACTIONS")
        self.port = server.port
        return [server]

    async def start(self) -> None:
        """Start all, and see how it is while nobody attacks."""
        os.sched_setaffinity(0, {self._other})
        reactor.addSystemEventTrigger("before", "shutdown", self._interrupted)
        self._programs = self.targets()
        for program in self._programs:
            await self._start(program)
        other = str(self._other)
        self._attacker = CommandedProgram("tests.neighbours.attacker", other)
        self._honest = CommandedProgram(
            "tests.neighbours.honest", other, self.kind, str(self.port)
        )
        await self._attacker.start()
        await self._honest.start()
        await self._honest.ask("begin")
        await self._begin()

    async def _start(self, program: Program) -> None:
        await program.start()
        assert program.pid is not None
        os.sched_setaffinity(program.pid, {self._core})

    async def _begin(self) -> None:
        await until(self._is_served, "the honest client is not served")
        await deferLater(reactor, QUIET, lambda: None)
        report = await self._honest.ask("report")
        self.quiet = max(self.quiet, report["longest"])
        self._start_memory = {program: self._memory(program) for program in self._programs}

    async def _is_served(self) -> bool:
        await deferLater(reactor, 0.2, lambda: None)
        report = await self._honest.ask("report")
        return not report["failures"] and report["calls"] > 0

    def _memory(self, program: Program) -> int:
        return 0 if program.pid is None else held_by(program.pid).resident

    async def attack(self, attack: Attack) -> Run:
        """Have it attacked, once."""
        seen = {program: len(program.output) for program in self._programs}
        await self._honest.ask("report")
        where = {"port": self.port, "router": self.router}
        done = await self._attacker.ask("attack", name=attack.name, **where)
        await deferLater(reactor, SETTLE, lambda: None)
        report = await self._honest.ask("report")
        run = Run(
            report["longest"],
            report["newcomers"],
            report["failures"],
            done["answers"],
            await self._left(),
            [
                line
                for program, before in seen.items()
                for line in program.output[before:]
                if any(bad in line for bad in _BAD)
            ],
            [program.name for program in self._programs if not program.running],
            done["seconds"],
        )
        if run.died or run.memory > MEMORY:
            await self._restart()
        elif run.failures:
            await until(self._is_served, "the honest client is not served any more")
        return run

    async def _left(self) -> int:
        """What is in memory besides what was at the start, as soon as it is little enough."""
        end = reactor.seconds() + MEMORY_SECONDS
        while True:
            more = max(
                self._memory(program) - before for program, before in self._start_memory.items()
            )
            if more <= MEMORY or reactor.seconds() > end:
                return more
            await deferLater(reactor, 0.1, lambda: None)

    async def _restart(self) -> None:
        """Start the targets again: what one attack left is not held against the next."""
        for program in reversed(self._programs):
            if program.running:
                await program.kill()
        for program in self._programs:
            await self._start(program)
        await self._begin()

    async def close(self) -> None:
        """End all."""
        with redirect_stdout(io.StringIO()):  # each prints its log then, which is long
            for program in [self._attacker, self._honest, *reversed(self._programs)]:
                await program.close()

    def _interrupted(self) -> None:
        """Leave no process behind if somebody loses patience."""
        for program in self._programs:
            if program.running:
                program.signal("KILL")

    def log(self) -> str:
        """What the targets printed."""
        return "\n".join(program.log() for program in self._programs)


class TlsStage(Stage):
    """The same over TLS."""

    kind = "server-tls"

    def targets(self) -> list[Program]:
        certificate, key = self_signed("localhost", "127.0.0.1").write(self._directory)
        endpoint = f"ssl:{{}}:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
        server = Serve("--actions", "tests.neighbours.programs:ACTIONS", endpoint=endpoint)
        self.port = server.port
        return [server]


class BridgeStage(Stage):
    """A bridge, upstream of which is a server."""

    kind = "bridge"

    def targets(self) -> list[Program]:
        server = Serve("--actions", "tests.neighbours.programs:ACTIONS")
        secrets = {"HONEST_KEY": HONEST_KEY, "ATTACKER_KEY": ATTACKER_KEY, "SIGNER_KEY": "a"}
        bridge = Bridge(directory=self._directory, **secrets)
        self.port = bridge.port
        text = f'[upstream]\nhost = "127.0.0.1:{server.port}"\n[upstream.backoff]\ncap = 0.25\n'
        (self._directory / "bridge.toml").write_text(text + _BRIDGE.format(http=bridge.port))
        self._bridge = bridge
        return [server, bridge]

    async def _begin(self) -> None:
        await self._bridge.until_ready()
        await super()._begin()


class WampStage(BridgeStage):
    """The same, with a real router as well, through which it is attacked."""

    def targets(self) -> list[Program]:
        server, bridge = super().targets()
        self._router = Crossbar()
        self.router = self._router.port
        with (self._directory / "bridge.toml").open("a") as file:
            file.write(_WAMP.format(url=self._router.url))
        return [server, bridge]

    async def _start(self, program: Program) -> None:
        if not self._router.running:
            await self._router.start()
        await super()._start(program)

    async def close(self) -> None:
        await super().close()
        with redirect_stdout(io.StringIO()):
            await self._router.close()


STAGES = {"server": Stage, "server-tls": TlsStage, "bridge": BridgeStage, "wamp": WampStage}
