"""
``make bench``: every contestant in one run, in turns, several rounds, after a warm-up.

A pair is a client on a server, each a process of its own; each figure is of one work on one pair.
The processor time is what the operating system says of each process, so that client and server are
told apart.  Every answer and message is compared.  The ratios are within the run: to JavaScript's
client, or server, that does the same work with the same other end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.interop.support import install_packages
from tests.kit.certificates import self_signed
from tests.kit.ports import ReservedPort

from .report import document, print_table, write

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_MODULES = _ROOT / "tests" / "interop" / "node"
_DRIVERS = [sys.executable, "-m", "benchmarks.compare.drivers"]
_WARM_UP = 0.5
_CPUCLOCK_SCHED = 2
"""Of a process's clock, which ``clock_getcpuclockid`` of C makes of its id."""


_MEMORY = {
    "idle, 2000 peers": "peers",
    "100,000 calls that wait": "count",
    "1,000,000 publishes": "count",
}
"""The works that are looked at for their memory, with the field that says for how many."""


class Process:
    """A contestant: prints a line of JSON when it is ready, and one for each work."""

    def __init__(self, command: list[str], **environment: str) -> None:
        self._child = subprocess.Popen(
            command,
            cwd=_ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._process = psutil.Process(self._child.pid)
        self.ready = self._read()

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._child.args} ended")
        result: dict[str, Any] = json.loads(line)
        return result

    def do(self, **work: Any) -> dict[str, Any]:
        """Have a work done."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(work) + "\n")
        self._child.stdin.flush()
        return self._read()

    def processor_seconds(self) -> float:
        """
        What all its threads, and the processes that it started, have used so far; the other
        figures that Linux has count ticks.
        """
        pids = [self._child.pid, *(each.pid for each in self._process.children(recursive=True))]
        return sum(time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED) for pid in pids)

    def resident_bytes(self) -> int:
        """What it has in memory."""
        return int(self._process.memory_info().rss)

    def end(self) -> None:
        """End it, and wait for that: those that have children end them."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


@dataclass(frozen=True)
class Pair:
    """
    A client on a server.

    :ivar client: its name.
    :ivar server: its name.
    :ivar transport: between them.
    """

    client: str
    server: str
    transport: str = "websocket"

    def __str__(self) -> str:
        over = "" if self.transport == "websocket" else f", {self.transport}"
        return f"{self.client} on {self.server}{over}"


@dataclass
class Figure:
    """What one work on one pair came to, a value for each round."""

    client_us: list[float] = field(default_factory=list)
    server_us: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)
    client_bytes: list[float] = field(default_factory=list)
    server_bytes: list[float] = field(default_factory=list)


SOCKJS = [Pair(client, server) for client in ("ours", "node") for server in ("ours", "node")]
OTHERS = [Pair(name, name) for name in ("socketio", "autobahn", "websockets", "tcp")]
OVER_HTTP = [
    Pair("ours", "ours", transport)
    for transport in ("xhr-streaming", "eventsource", "xhr-polling")
]
VARIANTS = ("ours-tls", "ours-redis", "ours-asyncio")
"""Our server over TLS, with its store on Redis as npm's has it, and on asyncio's loop."""

OURS = [Pair("ours", server) for server in VARIANTS]
PEERS = [Pair("peers", server) for server in ("ours", "node", *VARIANTS)]
IDLE = [Pair("peers", server) for server in ("ours", "node", "ours-tls")]
BRIDGES = [Pair("http", server) for server in ("bridge", "crossbar")]
EVENTS = [Pair("wamp", server) for server in ("bridge_wamp", "crossbar_wamp")]
COMMAND = [Pair("command", "ours")]

IN_FLIGHT = {30: (1, 10, 100, 1000, 10_000), 100: (1,), 10_000: (1, 100), 1_000_000: (1,)}
"""How many calls are in flight, by the bytes of each."""

FAN_OUT = ((10, 1, 30), (10, 100, 30), (10, 10_000, 30), (100, 1, 30), (1000, 1, 30))
"""To how many peers, each in how many channels, how many bytes."""


def _callers(size: int, in_flight: int) -> list[Pair]:
    """Who calls so: everybody in the rows that most look for, ours and npm's in the others."""
    pairs = SOCKJS if in_flight not in (10, 1000) else [SOCKJS[0], SOCKJS[-1]]
    if in_flight in (1, 100) and size != 100:
        return [*pairs, *OTHERS, *(OURS + OVER_HTTP if size == 30 else [])]
    return pairs


WORKS: dict[str, tuple[list[Pair], dict[str, Any]]] = {
    "receive, one a frame": (
        [*SOCKJS, *OURS, Pair("socketio", "socketio")],
        {"work": "receive", "count": 2000, "size": 30},
    ),
    "receive, one a frame, 5000 channels": (
        SOCKJS,
        {"work": "receive", "channels": 5000, "count": 2000, "size": 30},
    ),
    **{
        f"call, {in_flight} in flight, {size} B": (
            _callers(size, in_flight),
            {"work": "rpc", "in_flight": in_flight, "size": size},
        )
        for size, flights in IN_FLIGHT.items()
        for in_flight in flights
    },
    "call to the client, 100 in flight, 30 B": (
        SOCKJS,
        {"work": "called", "count": 100, "size": 30},
    ),
    "publish, 1000 at a time, 30 B": (SOCKJS, {"work": "publish", "count": 1000, "size": 30}),
    **{
        f"echo, {name}": (PEERS, {"work": "echo", "peers": 1, "size": 30, **fields})
        for name, fields in {
            "one a frame, 1 in flight": {"batched": False, "in_flight": 1},
            "one a frame, 100 in flight": {"batched": False, "in_flight": 100},
            "100 a frame": {"batched": True, "in_flight": 100},
        }.items()
    },
    **{
        f"fan-out, {peers} peers, {channels} channels each, {size} B": (
            PEERS if (peers, size) == (1000, 30) else PEERS[:2],
            {"work": "fan-out", "peers": peers, "channels": channels, "size": size},
        )
        for peers, channels, size in (*FAN_OUT, (1000, 1, 12_000))
    },
    "connect, authenticate, subscribe": (PEERS, {"work": "connect", "peers": 0}),
    "idle, 2000 peers": (IDLE, {"work": "open", "peers": 2000}),
    "100,000 calls that wait": ([Pair("ours", "ours")], {"work": "wait", "count": 100_000}),
    "1,000,000 publishes": (
        [Pair("ours", "ours")],
        {"work": "publish", "count": 1_000_000, "size": 30},
    ),
    **{
        f"{path}, {size} B": (BRIDGES, {"work": "post", "path": path, "size": size})
        for path in ("/call", "/publish")
        for size in (30, 10_000)
    },
    **{
        f"WAMP event, {in_flight} in flight": (
            EVENTS,
            {"work": "rpc", "in_flight": in_flight, "size": 30},
        )
        for in_flight in (1, 100)
    },
    **{
        f"start, {name}": (COMMAND, {"work": "start", "command": command})
        for name, command in {
            "python": "python",
            "reactor, treq, Autobahn": "imports",
            "tokensock --help": "--help",
            "tokensock rpc": "rpc",
            "twistd tokensock, listening": "twistd",
        }.items()
    },
}


def main() -> None:
    """Run what is asked for, print the table, and write JSON, tables and pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--only", default="", help="a pattern of works and pairs")
    parser.add_argument("--seconds", type=float, default=1.0, help="for one work, in one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", type=Path, help="JSON of an earlier run, to compare with")
    parser.add_argument("--out", type=Path, default=_ROOT / "benchmarks" / "results")
    parser.add_argument("--docs", action="store_true", help="put it into docs/performance.rst")
    options = parser.parse_args()
    install_packages()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plan = [
        (work, pair)
        for work, (pairs, _) in WORKS.items()
        for pair in pairs
        if re.search(options.only, f"{work}: {pair}")
    ]
    with Contestants({pair for _, pair in plan}) as contestants:
        figures = measure(plan, contestants, options.rounds, options.seconds)
    report: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors; "
        f"Python {platform.python_version()}, Twisted {version('twisted')}, "
        f"Node.js {_node_version()}; {options.rounds} rounds of {options.seconds:g} s, "
        f"load {os.getloadavg()[2]:.1f} in the last 15 minutes",
        "figures": {f"{work}: {pair}": asdict(figure) for (work, pair), figure in figures.items()},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(report, indent=1))
    base = json.loads(options.base.read_text())["figures"] if options.base else {}
    print_table(report["figures"], base)
    write(report, options.out)
    if options.docs:
        document(report)


def _node_version() -> str:
    done = subprocess.run(["node", "--version"], capture_output=True, check=True, text=True)
    return done.stdout.strip().removeprefix("v")


class Contestants:
    """
    The processes of all pairs; they wait, and take no time, while another pair works.

    :param pairs: which.
    """

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._pairs = sorted(pairs, key=str)
        self._processes: list[Process] = []
        self._redis: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="txtokensock-bench-"))
        self.servers: dict[str, Process] = {}
        self.clients: dict[Pair, Process] = {}

    def __enter__(self) -> Contestants:
        try:
            for pair in self._pairs:
                if pair.server not in self.servers:
                    self.servers[pair.server] = self._started(*self._server(pair.server))
                port = str(self.servers[pair.server].ready["port"])
                self.clients[pair] = self._started(*self._client(pair, port))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.end()
        if self._redis is not None:
            self._redis.kill()
            self._redis.wait()
        shutil.rmtree(self._folder)

    def _started(self, command: list[str], environment: dict[str, str]) -> Process:
        process = Process(command, **environment)
        self._processes.append(process)
        return process

    def _server(self, name: str) -> tuple[list[str], dict[str, str]]:
        if name == "node":
            modules = str(_MODULES / "node_modules")
            command = ["node", str(_HERE / "node" / "server.js")]
            return command, {"REDIS_PORT": self._redis_port(), "MODULES": modules}
        name, _, variant = name.partition("-")
        environment = self._variant(variant)
        if variant == "redis":
            environment["REDIS_PORT"] = self._redis_port()
        return [*_DRIVERS, f"{name}_server"], environment

    def _client(self, pair: Pair, port: str) -> tuple[list[str], dict[str, str]]:
        if pair.client != "node":
            variant = pair.server.partition("-")[2]
            return [*_DRIVERS, pair.client, port, pair.transport], self._variant(variant)
        command = ["node", str(_HERE / "node" / "client.js"), port, pair.transport]
        return command, {"SESSION": str(_MODULES / "session")}

    def _variant(self, name: str) -> dict[str, str]:
        if name == "tls":
            if not (self._folder / "certificate.pem").exists():
                self_signed("127.0.0.1").write(self._folder)
            return {"CERTIFICATE": str(self._folder / "certificate.pem")}
        return {"REACTOR": "asyncio"} if name == "asyncio" else {}

    def _redis_port(self) -> str:
        if self._redis is None:
            self._port = str(ReservedPort().number)
            self._redis = subprocess.Popen(
                ["redis-server", "--port", self._port, "--bind", "127.0.0.1", "--save", ""],
                cwd=self._folder,
                stdout=subprocess.DEVNULL,
            )
        return self._port


def measure(
    plan: list[tuple[str, Pair]], contestants: Contestants, rounds: int, seconds: float
) -> dict[tuple[str, Pair], Figure]:
    """Do every work in every round."""
    figures = {entry: Figure() for entry in plan}
    for turn in range(rounds + 1):
        for work, pair in plan:
            figure = figures[work, pair] if turn else Figure()
            fields = WORKS[work][1]
            if work in _MEMORY:
                if turn == 1:  # which is not a matter of chance
                    client_bytes, server_bytes = memory(pair, fields, _MEMORY[work])
                    figure.client_bytes.append(client_bytes)
                    figure.server_bytes.append(server_bytes)
                continue
            client, server = contestants.clients[pair], contestants.servers[pair.server]
            work_on(client, server, figure, {"seconds": seconds if turn else _WARM_UP, **fields})
        print(f"round {turn} of {rounds}", file=sys.stderr)
    return figures


def work_on(client: Process, server: Process, figure: Figure, fields: dict[str, Any]) -> None:
    """Do one work, with the peers that it needs."""
    fields = dict(fields)
    opening = {name: fields.pop(name) for name in ("peers", "channels") if name in fields}
    if opening:
        client.do(work="open", **opening)
    before = client.processor_seconds(), server.processor_seconds()
    result = client.do(**fields)
    after = client.processor_seconds(), server.processor_seconds()
    if opening:
        client.do(work="close")
    if result["wrong"] or not result["done"]:
        raise RuntimeError(f"{fields}: {result}")
    done = result["done"]
    figure.client_us.append(result.get("processor", after[0] - before[0]) / done * 1e6)
    figure.server_us.append((after[1] - before[1]) / done * 1e6)
    figure.per_second.append(done / result["seconds"])
    figure.p50_us.append(result["p50"] * 1e6)
    figure.p99_us.append(result["p99"] * 1e6)


def memory(pair: Pair, fields: dict[str, Any], count: str) -> tuple[float, float]:
    """What each takes of a client and server that are new: used ones have memory to use again."""
    with Contestants([pair]) as contestants:
        ends = contestants.clients[pair], contestants.servers[pair.server]
        ends[0].do(**{**fields, count: 3000 if count == "count" else 3})
        before = [end.resident_bytes() for end in ends]
        ends[0].do(**fields)
        time.sleep(_WARM_UP)
        client, server = (
            (end.resident_bytes() - was) / fields[count]
            for end, was in zip(ends, before, strict=True)
        )
        return client, server


if __name__ == "__main__":
    main()
