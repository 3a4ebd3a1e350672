"""
How long ``tokensock`` takes to start.

Each round runs each command once, in turns, as a process of its own, from its start to its
end.  ``imports`` is what no client can do without: the reactor, treq and
Autobahn.  ``rpc`` talks to a server that this starts.  Bytecode is compiled beforehand, as
an installation does.

It prints the lowest and the median time of each in seconds, the lowest time of the
processor, which hardly depends on what else the machine does, and how much more than
``imports`` an ``rpc`` takes::

    python benchmarks/start.py [ROUNDS]
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

COMMAND = "from txtokensock.cli import main; main()"
SERVER = "from twisted.scripts.twistd import run; run()"
LISTEN = "tcp:0:interface=127.0.0.1"


def commands(port: int) -> dict[str, list[str]]:
    """What is measured, as arguments of Python."""
    tokensock = ["-c", COMMAND]
    return {
        "python": ["-c", "pass"],
        "--help": [*tokensock, "--help"],
        "--version": [*tokensock, "--version"],
        "usage error, arguments": [*tokensock, "rpc"],
        "usage error, JSON": [*tokensock, "rpc", "echo", "{foo"],
        "usage error, host": [*tokensock, "rpc", "echo", "--host", ":x"],
        "usage error, header": [*tokensock, "rpc", "echo", "--header", "X A: b"],
        "usage error, proxy": [*tokensock, "rpc", "echo", "--proxy", "ftp://proxy.test"],
        "usage error, file": [*tokensock, "rpc", "echo", "--authorities", "/nonexistent"],
        "imports": ["-c", "import twisted.internet.reactor, treq, autobahn.twisted.websocket"],
        "rpc": [*tokensock, "--host", f"127.0.0.1:{port}", "rpc", "echo", '{"foo":"bar"}'],
    }


def seconds(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """The time of one process, and that of the processor in it."""
    start, used = time.perf_counter(), processor()
    run = subprocess.run(
        [sys.executable, *arguments], capture_output=True, env=environment, check=False
    )
    took = time.perf_counter() - start, processor() - used
    if run.returncode not in (0, 2) or b"Traceback" in run.stderr:
        raise SystemExit(run.stderr.decode())
    return took


def processor() -> float:
    """The time of the processor in all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def server(environment: dict[str, str]) -> Iterator[int]:
    """A server of its own; its port."""
    options = ["--pidfile=", "-n", "tokensock", "serve", "--listen", LISTEN]
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, *options],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"server on .*:(\d+)$", line):
                    yield int(found[1])
                    return
            raise SystemExit("the server did not start")
        finally:
            process.terminate()


def main(rounds: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="txtokensock-") as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with server(environment) as port:
            measured = commands(port)
            for arguments in measured.values():
                seconds(arguments, environment)  # which compiles
            taken: dict[str, list[tuple[float, float]]] = {name: [] for name in measured}
            for _ in range(rounds):
                for name, arguments in measured.items():
                    taken[name].append(seconds(arguments, environment))
    print(f"{'':24}{'lowest':>9}{'median':>9}{'processor':>12}")
    for name, times in taken.items():
        show(name, *(list(column) for column in zip(*times, strict=True)))
    pairs = zip(taken["rpc"], taken["imports"], strict=True)
    beyond = statistics.median(rpc[0] - imports[0] for rpc, imports in pairs)
    lowest = [min(column) for column in zip(*taken["rpc"], strict=True)]
    imports = [min(column) for column in zip(*taken["imports"], strict=True)]
    print(
        f"{'rpc beyond imports':24}{lowest[0] - imports[0]:9.3f}{beyond:9.3f}"
        f"{lowest[1] - imports[1]:12.3f}"
    )


def show(name: str, wall: list[float], used: list[float]) -> None:
    """A line of the table."""
    print(f"{name:24}{min(wall):9.3f}{statistics.median(wall):9.3f}{min(used):12.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
