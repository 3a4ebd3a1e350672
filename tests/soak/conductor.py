"""
Runs a soak: starts the processes, has faults befall them, and judges what came of it.
"""

from __future__ import annotations

import random
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.internet.task import LoopingCall, deferLater

from tests.kit.ports import ReservedPort
from tests.kit.processes import ChildFailed
from tests.kit.resources import Held

from .faults import Fault, every_fault, faults
from .programs import Program, Tinyproxy
from .report import Report
from .verdict import Verdict

__all__ = ["Conductor", "Options"]

SETTLE = 600.0
"""Seconds within which all is at rest when the faults have ended, on a busy machine too."""

TOLERANCE = 0.05
"""By how much what is held at the end may differ from what was after the first minute."""


@dataclass(frozen=True)
class Options:
    """
    :ivar seconds: how long, with the first minute and without the final checks.
    :ivar calls: a second, of all clients.
    :ivar messages: a second, to all clients.
    :ivar clients: each a transport, or ``auto``, maybe with ``+proxy``.
    :ivar seed: of everything that is left to chance.
    """

    seconds: float
    calls: float
    messages: float
    clients: list[str]
    seed: str


class Conductor:
    """
    :param options: see there.
    :param directory: an empty one, for the server.
    :param report: is told what happens.
    """

    def __init__(self, options: Options, directory: Path, report: Report) -> None:
        self._ports = [ReservedPort() for _ in range(4)]
        server, behind, to_server, to_proxy = (port.number for port in self._ports)
        seed = options.seed
        self._options = options
        self._report = report
        self._random = random.Random(f"{seed}-faults")
        self.verdict = Verdict(report.broken)
        self.server = Program(
            "server",
            {"port": server, "rate": options.messages, "seed": seed, "directory": directory},
            self._hear,
        )
        self.network = Program(
            "network",
            {"routes": f"{to_server}:{server},{to_proxy}:{behind}", "seed": seed},
            self._hear,
        )
        self.proxy = Tinyproxy(behind, server, directory, self._hear)
        self.client = Program(
            "client",
            {
                "url": f"http://127.0.0.1:{to_server}",
                "proxy": f"http://127.0.0.1:{to_proxy}",
                "behind": f"http://127.0.0.1:{server}",
                "calls": options.calls,
                "clients": ",".join(options.clients),
                "seed": seed,
            },
            self._hear,
        )
        self.programs = [self.server, self.network, self.proxy, self.client]
        self.figures: dict[str, Any] = {}
        self._used = (time.monotonic(), 0.0)

    async def run(self) -> None:
        """The whole soak; what is wrong is in :attr:`verdict`."""
        self._running = Deferred.fromCoroutine(self._run())
        try:
            await self._running
        except ChildFailed as problem:
            self.verdict.against("the soak did not come to its end", str(problem))
        except CancelledError:
            self.verdict.against("the soak did not come to its end", "it was stopped")

    async def close(self) -> None:
        """End every process that is left."""
        await gatherResults([Deferred.fromCoroutine(one.kill()) for one in self.programs])
        for port in self._ports:
            port.release()

    async def _run(self) -> None:
        begun = time.monotonic()
        await self.server.start()
        await self.network.start()
        if any(kind.endswith("+proxy") for kind in self._options.clients):
            await self.proxy.start()
        await self.client.start()
        await self.client.told("connect", "connected")
        self.client.tell("work")
        every_minute = LoopingCall(self._minute)
        every_minute.start(60.0, now=False).addErrback(lambda _: self._running.cancel())
        warm = min(60.0, self._options.seconds / 2)
        await self._suffer_everything(begun + warm)
        first = await self._quiet("the first minute")
        self._resume()
        await self._suffer(begun + self._options.seconds)
        every_minute.stop()
        last = await self._quiet("the end")
        self._compare(first, last)
        self.figures = await self.client.told("end", "stopped", SETTLE)
        await self.client.terminate()
        await self.server.terminate()
        await self.network.kill()

    # -- faults

    async def _suffer_everything(self, until: float) -> None:
        """Each fault once at least, so that all that they need was there in the first minute."""
        for fault in every_fault(self._random):
            await self._befall(fault)
            await _pause(0.5)
        await self._suffer(until)

    async def _suffer(self, until: float) -> None:
        for pause, found in faults(self._random):
            await _pause(min(pause, until - time.monotonic()))
            if time.monotonic() >= until:
                return
            together = [Deferred.fromCoroutine(self._befall(one)) for one in found]
            try:
                await gatherResults(together, consumeErrors=True)
            except FirstError as problem:
                problem.subFailure.raiseException()

    async def _befall(self, fault: Fault) -> None:
        self._report.fault(fault)
        if fault.of_network:
            self.network.tell(fault.name, **fault.options)
            await _pause(fault.seconds)
            self.network.tell("clear")
        elif fault.name in ("stop", "sleep"):
            stopped = self.server if fault.name == "stop" else self.client
            stopped.stop()
            await _pause(fault.seconds)
            stopped.cont()
        else:
            await (self.server.kill() if fault.name == "kill" else self.server.terminate())
            await _pause(fault.seconds)
            await self.server.start()

    # -- at rest

    async def _quiet(self, when: str) -> Held:
        """All is well and nothing is asked: what must be true now, and what the client holds."""
        await self.client.told("rest", "resting", SETTLE)
        self.server.tell("rate", rate=0)
        figures = await self.client.told("check", "checked", SETTLE)
        held = self.client.held()
        self._report.quiet(when, held, figures["objects"])
        return held

    async def _minute(self) -> None:
        figures = await self.client.told("figures", "figures")
        self._report.minute(figures, self.client.held(), self._processor_share())

    def _processor_share(self) -> float:
        """What all processes took since this was asked before, of one processor."""
        now, reaped = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        used = sum(one.processor_seconds() for one in self.programs) + time.process_time()
        used += reaped.ru_utime + reaped.ru_stime
        (then, before), self._used = self._used, (now, used)
        return (used - before) / (now - then)

    def _resume(self) -> None:
        self.server.tell("rate", rate=self._options.messages)
        self.client.tell("work")

    def _compare(self, first: Held, last: Held) -> None:
        for what, before, after in (
            ("resident memory", first.resident, last.resident),
            ("open files", first.files, last.files),
        ):
            if abs(after - before) > TOLERANCE * before:
                self.verdict.against(f"{what} is not what it was", f"{before}, at the end {after}")

    # -- what children tell

    def _hear(self, program: str, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "broken":
            self.verdict.against(f"{program}: {event['rule']}", event["details"])
        elif kind in ("failed", "ended"):
            self.verdict.against(f"{program} {kind}", event["why"])
            self._running.cancel()
        elif kind == "noise":
            self.verdict.against(f"{program}: it said something", event["line"])
            self._report.noise(event["line"])


def _pause(seconds: float) -> Deferred[None]:
    return deferLater(reactor, max(0.0, seconds))
