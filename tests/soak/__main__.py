"""
``python -m tests.soak``: see ``docs/soak.rst``.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from .conductor import Conductor, Options
from .report import Report

TRANSPORTS = ("websocket", "xhr-streaming", "eventsource", "xhr-polling", "websocket-raw")
CLIENTS = ",".join([*TRANSPORTS, "auto", "auto+proxy", "xhr-streaming+proxy"])


def options(arguments: list[str]) -> Options:
    """Out of the command line's arguments."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--calls", type=float, default=100.0, help="a second, of all clients")
    parser.add_argument("--messages", type=float, default=1000.0, help="a second, to all clients")
    parser.add_argument("--clients", default=CLIENTS, help=f"by default, {CLIENTS}")
    parser.add_argument("--seed", default="", help="by default, a new one")
    found = parser.parse_args(arguments)
    return Options(
        seconds=found.seconds,
        calls=found.calls,
        messages=found.messages,
        clients=found.clients.split(","),
        seed=found.seed or str(random.randrange(10**6)),
    )


async def soak(chosen: Options) -> None:
    """Run it, and leave no process behind whatever happens."""
    report = Report(lambda line: print(line, flush=True))
    report.begin(
        f"make soak SECONDS={chosen.seconds:g} CALLS={chosen.calls:g} "
        f"MESSAGES={chosen.messages:g} CLIENTS={','.join(chosen.clients)} SEED={chosen.seed}"
    )
    with tempfile.TemporaryDirectory(prefix="txtokensock-soak-") as directory:
        conductor = Conductor(chosen, Path(directory), report)
        try:
            await conductor.run()
        finally:
            await conductor.close()
    report.end(conductor.figures, conductor.verdict.broken, chosen.seconds)
    if conductor.verdict.broken:
        raise SystemExit(1)


def main(reactor: Any) -> Deferred[None]:
    """The soak, or as much of it as there is before SIGINT or SIGTERM."""
    soaking = Deferred.fromCoroutine(soak(options(sys.argv[1:])))

    def stop() -> Deferred[None]:
        over: Deferred[None] = Deferred()

        def pass_on(result: Any) -> Any:
            over.callback(None)
            return result

        soaking.addBoth(pass_on)
        soaking.cancel()
        return over

    reactor.addSystemEventTrigger("before", "shutdown", stop)
    return soaking


react(main)
