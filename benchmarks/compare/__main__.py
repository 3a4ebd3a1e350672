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
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.interop.support import install_packages
from tests.kit.ports import ReservedPort

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_MODULES = _ROOT / "tests" / "interop" / "node"
_DRIVERS = [sys.executable, "-m", "benchmarks.compare.drivers"]
_WARM_UP = 0.5


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
        """What it has used so far."""
        times = self._process.cpu_times()
        return times.user + times.system

    def resident_bytes(self) -> int:
        """What it has in memory."""
        return int(self._process.memory_info().rss)

    def end(self) -> None:
        """End it, and wait for that."""
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


SOCKJS = [Pair(client, server) for client in ("ours", "node") for server in ("ours", "node")]
OTHERS = [Pair(name, name) for name in ("socketio", "autobahn", "websockets", "tcp")]
OVER_HTTP = [
    Pair("ours", "ours", transport)
    for transport in ("xhr-streaming", "eventsource", "xhr-polling")
]

WORKS: dict[str, tuple[list[Pair], dict[str, Any]]] = {
    "receive, one a frame": (
        [*SOCKJS, Pair("socketio", "socketio")],
        {"work": "receive", "count": 2000, "size": 30},
    ),
    **{
        f"call, {in_flight} in flight, {size} B": (
            [*SOCKJS, *OTHERS, *(OVER_HTTP if size == 30 else [])],
            {"work": "rpc", "in_flight": in_flight, "size": size},
        )
        for size, flights in ((30, (1, 100, 9000)), (10_000, (1, 100)), (1_000_000, (1,)))
        for in_flight in flights
    },
}


def main() -> None:
    """Run what is asked for, print the table, and write JSON and a picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--only", default="", help="works and pairs whose names contain this")
    parser.add_argument("--seconds", type=float, default=2.0, help="for one work, in one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", type=Path, help="JSON of an earlier run, to compare with")
    parser.add_argument("--out", type=Path, default=_ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    install_packages()
    plan = [
        (work, pair)
        for work, (pairs, _) in WORKS.items()
        for pair in pairs
        if options.only in f"{work}: {pair}"
    ]
    with Contestants({pair for _, pair in plan}) as contestants:
        figures = measure(plan, contestants, options.rounds, options.seconds)
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}",
        "figures": {f"{work}: {pair}": asdict(figure) for (work, pair), figure in figures.items()},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(report, indent=1))
    base = json.loads(options.base.read_text())["figures"] if options.base else {}
    print_table(figures, base)
    draw(figures, options.out / "bench.png")


class Contestants:
    """
    The processes of all pairs; they wait, and take no time, while another pair works.

    :param pairs: which.
    """

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._pairs = sorted(pairs, key=str)
        self._processes: list[Process] = []
        self._redis: subprocess.Popen[bytes] | None = None
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

    def _started(self, command: list[str], environment: dict[str, str]) -> Process:
        process = Process(command, **environment)
        self._processes.append(process)
        return process

    def _server(self, name: str) -> tuple[list[str], dict[str, str]]:
        if name != "node":
            return [*_DRIVERS, f"{name}_server"], {}
        port = ReservedPort().number
        folder = tempfile.mkdtemp(prefix="txtokensock-bench-")
        self._redis = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        modules = str(_MODULES / "node_modules")
        command = ["node", str(_HERE / "node" / "server.js")]
        return command, {"REDIS_PORT": str(port), "MODULES": modules}

    def _client(self, pair: Pair, port: str) -> tuple[list[str], dict[str, str]]:
        if pair.client != "node":
            return [*_DRIVERS, pair.client, port, pair.transport], {}
        command = ["node", str(_HERE / "node" / "client.js"), port, pair.transport]
        return command, {"SESSION": str(_MODULES / "session")}


def measure(
    plan: list[tuple[str, Pair]], contestants: Contestants, rounds: int, seconds: float
) -> dict[tuple[str, Pair], Figure]:
    """Do every work in every round."""
    figures = {entry: Figure() for entry in plan}
    for turn in range(rounds + 1):
        for work, pair in plan:
            client, server = contestants.clients[pair], contestants.servers[pair.server]
            before = client.processor_seconds(), server.processor_seconds()
            result = client.do(seconds=seconds if turn else _WARM_UP, **WORKS[work][1])
            after = client.processor_seconds(), server.processor_seconds()
            if result["wrong"] or not result["done"]:
                raise RuntimeError(f"{work}: {pair}: {result}")
            if not turn:
                continue
            figure, done = figures[work, pair], result["done"]
            figure.client_us.append((after[0] - before[0]) / done * 1e6)
            figure.server_us.append((after[1] - before[1]) / done * 1e6)
            figure.per_second.append(done / result["seconds"])
            figure.p50_us.append(result["p50"] * 1e6)
            figure.p99_us.append(result["p99"] * 1e6)
        print(f"round {turn} of {rounds}", file=sys.stderr)
    return figures


def print_table(figures: dict[tuple[str, Pair], Figure], base: dict[str, Any]) -> None:
    """Medians with their spread, and ratios to JavaScript."""
    median = statistics.median
    print(f"{'':46} {'client us':>20} {'server us':>20} {'a second':>9} {'p50':>8} {'p99':>8}")
    for (work, pair), figure in figures.items():
        name = f"{work}: {pair}"
        cells = []
        for kind, rival in (
            ("client_us", Pair("node", pair.server)),
            ("server_us", Pair(pair.client, "node")),
        ):
            values = getattr(figure, kind)
            text = f"{median(values):.1f} ({min(values):.1f}-{max(values):.1f})"
            other = figures.get((work, rival))
            if other is not None and rival != pair:
                text += f" x{median(values) / median(getattr(other, kind)):.2f}"
            if name in base:
                text += f" base x{median(values) / median(base[name][kind]):.2f}"
            cells.append(text)
        print(
            f"{name:46} {cells[0]:>20} {cells[1]:>20} {median(figure.per_second):9.0f}"
            f" {median(figure.p50_us):8.0f} {median(figure.p99_us):8.0f}"
        )


def draw(figures: dict[tuple[str, Pair], Figure], path: Path) -> None:
    """A picture: for each work the processor time of both ends, by pair."""
    from matplotlib.figure import Figure as Picture

    works = list(dict.fromkeys(work for work, _ in figures))
    picture = Picture(figsize=(10, 2.6 * len(works)), layout="constrained")
    for axes, work in zip(picture.subplots(len(works), squeeze=False)[:, 0], works, strict=True):
        chosen = {pair: figure for (name, pair), figure in figures.items() if name == work}
        names = [str(pair) for pair in chosen]
        client = [statistics.median(figure.client_us) for figure in chosen.values()]
        server = [statistics.median(figure.server_us) for figure in chosen.values()]
        axes.barh(names, client, label="client")
        axes.barh(names, server, left=client, label="server")
        axes.set_title(work, loc="left", fontsize=10)
        axes.set_xlabel("microseconds of processor time each")
        axes.invert_yaxis()
        axes.legend()
    picture.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
