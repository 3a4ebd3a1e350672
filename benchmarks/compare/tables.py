"""
The tables of ``docs/performance.rst``, from the figures of a run.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["BOTH", "RIVALS", "Figures", "Medians", "sections"]

Figures = dict[str, dict[str, list[float]]]
"""
Of each ``work: client on server``, as in :mod:`benchmarks.compare.__main__`, the kinds of figures,
with a value for each round.
"""

RIVALS = {"bridge": "crossbar", "bridge_wamp": "crossbar_wamp"}
"""With what a server is compared that is not JavaScript's."""


class Medians:
    """Looks figures up."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def get(self, name: str, *kinds: str) -> float | None:
        """The sum of the medians of those kinds, or None where it was not measured."""
        figure = self._figures.get(name)
        if not figure:
            return None
        return sum(statistics.median(figure[kind]) for kind in kinds)


BOTH = ("client_us", "server_us")

_SERVER = {
    "echo, one a frame, 1 in flight": "a call, alone",
    "echo, one a frame, 100 in flight": "a call of 100 in flight, one a frame",
    "echo, 100 a frame": "a call of 100 in flight, all in a frame",
    "fan-out, 1000 peers, 1 channels each, 30 B": "a delivery to 1,000 peers, 30 B",
    "fan-out, 1000 peers, 1 channels each, 12000 B": "a delivery to 1,000 peers, 12 kB",
    "connect, authenticate, subscribe": "a peer that connects, authenticates, subscribes",
}

_CLIENT = {
    "receive, one a frame": "a message, one a frame",
    "receive, one a frame, 5000 channels": "the same, subscribed to 5,000 more channels",
    "call, 1 in flight, 30 B": "a call, alone, 30 B",
    "call, 1 in flight, 100 B": "the same, 100 B",
    "call, 1 in flight, 10000 B": "the same, 10 kB",
    "call, 1 in flight, 1000000 B": "the same, 1 MB",
    "call, 100 in flight, 30 B": "a call of 100 in flight, 30 B",
    "call, 100 in flight, 10000 B": "the same, 10 kB",
    "call, 10000 in flight, 30 B": "a call of 10,000 in flight, 30 B",
    "publish, 1000 at a time, 30 B": "a publish of 1,000",
    "call to the client, 100 in flight, 30 B": "a call of the server's, of 100",
}

_ENDS = {
    "ours on ours": "ours",
    "node on node": "npm's",
    "ours on ours-tls": "ours, TLS",
    "ours on ours-redis": "ours, Redis",
    "ours on ours-asyncio": "ours, asyncio",
    "ours on ours, xhr-streaming": "ours, ``xhr-streaming``",
    "ours on ours, eventsource": "ours, ``eventsource``",
    "ours on ours, xhr-polling": "ours, ``xhr-polling``",
    "socketio on socketio": "python-socketio",
    "autobahn on autobahn": "Autobahn, an echo",
    "websockets on websockets": "``websockets``, an echo",
    "tcp on tcp": "Twisted's TCP, an echo",
}

_BRIDGES = {
    "/call, 30 B": ("``/call``, 30 B", "http", "bridge"),
    "/call, 10000 B": ("``/call``, 10 kB", "http", "bridge"),
    "/publish, 30 B": ("``/publish``, 30 B", "http", "bridge"),
    "/publish, 10000 B": ("``/publish``, 10 kB", "http", "bridge"),
    "WAMP event, 1 in flight": ("a WAMP event, alone", "wamp", "bridge_wamp"),
    "WAMP event, 100 in flight": ("a WAMP event of 100 in flight", "wamp", "bridge_wamp"),
}

_STARTS = (
    "python",
    "reactor, treq, Autobahn",
    "tokensock --help",
    "tokensock rpc",
    "twistd tokensock, listening",
)


def sections(machine: str, figures: Figures) -> Iterator[str]:
    """Each between two comments, by which the page includes it."""
    medians = Medians(figures)
    yield ".. Written by make bench DOCS=1.\n\n"
    tables: dict[str, Callable[[Medians], Iterator[str]]] = {
        "server": _server_table,
        "client": _client_table,
        "ends": _ends_table,
        "bridge": _bridge_table,
        "memory": _memory_table,
        "start": _start_table,
        "carries": _carries_table,
        "peers": _peers_table,
        "goals": _goals_table,
    }
    yield f".. begin machine\n\n{machine}.\n\n.. end machine\n\n"
    for name, table in tables.items():
        yield f".. begin {name}\n\n{''.join(table(medians))}\n.. end {name}\n\n"


def _table(header: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A list-table; of the header, ``|`` is between the cells."""
    yield ".. list-table::\n   :header-rows: 1\n\n"
    for row in ([cell.strip() for cell in header.split("|")], *rows):
        cells = (f"- {cell}".rstrip() + "\n" for cell in row)
        yield "   * " + "     ".join(cells)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _ratio(value: float | None, other: float | None) -> str:
    return f"{value / other:.2f}" if value is not None and other else ""


def _server_table(medians: Medians) -> Iterator[str]:
    def row(work: str, label: str) -> list[str]:
        values = [
            medians.get(f"{work}: peers on {server}", "server_us")
            for server in ("ours", "node", "ours-tls", "ours-redis", "ours-asyncio")
        ]
        ours, npm, *others = values
        return [label, *map(_number, (ours, npm)), _ratio(ours, npm), *map(_number, others)]

    header = (
        "Server, microseconds | ours | npm's | ratio | ours, TLS | ours, Redis | ours, asyncio"
    )
    return _table(header, (row(*entry) for entry in _SERVER.items()))


def _client_table(medians: Medians) -> Iterator[str]:
    def row(work: str, label: str) -> list[str]:
        cells = [label]
        for server in ("ours", "node"):
            ours, npm = (
                medians.get(f"{work}: {client} on {server}", "client_us")
                for client in ("ours", "node")
            )
            cells += [_number(ours), _number(npm), _ratio(ours, npm)]
        return cells

    header = (
        "Client, microseconds | ours, on our server | npm's, on our server | ratio "
        "| ours, on npm's server | npm's, on npm's server | ratio"
    )
    return _table(header, (row(*entry) for entry in _CLIENT.items()))


def _ends_table(medians: Medians) -> Iterator[str]:
    def row(ends: str, label: str) -> list[str]:
        cells = [label]
        for in_flight in (1, 100):
            name = f"call, {in_flight} in flight, 30 B: {ends}"
            cells += [_number(medians.get(name, kind)) for kind in (*BOTH, "per_second")]
        return [*cells, _number(medians.get(f"call, 1 in flight, 30 B: {ends}", "p99_us"))]

    header = (
        "Calls, microseconds | alone: client | server | a second "
        "| 100 in flight: client | server | a second | alone: p99"
    )
    return _table(header, (row(*entry) for entry in _ENDS.items()))


def _bridge_table(medians: Medians) -> Iterator[str]:
    def row(work: str, label: str, client: str, server: str) -> list[str]:
        cells = [label]
        for kind in ("p50_us", "server_us"):
            ours, crossbar = (
                medians.get(f"{work}: {client} on {name}", kind)
                for name in (server, RIVALS[server])
            )
            cells += [_number(ours), _number(crossbar), _ratio(ours, crossbar)]
        return cells

    header = "Bridge, microseconds | p50 | Crossbar's | ratio | processor | Crossbar's | ratio"
    return _table(header, (row(work, *entry) for work, entry in _BRIDGES.items()))


def _memory_table(medians: Medians) -> Iterator[str]:
    rows = {
        "idle, 2000 peers: peers on {}": "an idle peer, of 2,000: server",
        "100,000 calls that wait: ours on {}": "a call that waits, of 100,000: client",
        "1,000,000 publishes: ours on {}": "a publish, of 1,000,000: client",
    }

    def row(name: str, label: str) -> list[str]:
        end = label.rpartition(" ")[2]
        ours, npm, tls = (
            medians.get(name.format(server), f"{end}_bytes")
            for server in ("ours", "node", "ours-tls")
        )
        return [label, _number(ours), _number(npm), _ratio(ours, npm), _number(tls)]

    header = "Memory, bytes | ours | npm's | ratio | ours, TLS"
    return _table(header, (row(*entry) for entry in rows.items()))


def _start_table(medians: Medians) -> Iterator[str]:
    names = {f"``{name}``": f"start, {name}: command on ours" for name in _STARTS}
    return _table(
        "A process that starts, milliseconds | processor | by the clock",
        (
            [label, *(_milliseconds(medians.get(name, kind)) for kind in ("client_us", "p50_us"))]
            for label, name in names.items()
        ),
    )


def _milliseconds(microseconds: float | None) -> str:
    return _number(microseconds and microseconds / 1000)


_CARRIES = {
    "calls, 100 a frame": "echo, 100 a frame: peers on ours",
    "calls, one a frame, 100 at a time": "echo, one a frame, 100 in flight: peers on ours",
    "calls, one at a time": "echo, one a frame, 1 in flight: peers on ours",
    "deliveries to 1,000 peers, 30 B": "fan-out, 1000 peers, 1 channels each, 30 B: peers on ours",
    "deliveries to 1,000 peers, 12 kB": (
        "fan-out, 1000 peers, 1 channels each, 12000 B: peers on ours"
    ),
    "calls over ``xhr-streaming``, one at a time": (
        "call, 1 in flight, 30 B: ours on ours, xhr-streaming"
    ),
    "calls over ``xhr-polling``, one at a time": (
        "call, 1 in flight, 30 B: ours on ours, xhr-polling"
    ),
}


def _carries_table(medians: Medians) -> Iterator[str]:
    def row(label: str, name: str) -> list[str]:
        each = medians.get(name, "server_us")
        if each is None:
            return [label, *[""] * 3]
        half = 500_000 / each
        return [label, _number(each), f"{half:,.0f}", f"{math.ceil(100_000 / half):,}"]

    header = (
        "Messages | µs each | a second, at half a processor "
        "| processors for 100,000 a second, at half of each"
    )
    return _table(header, (row(*entry) for entry in _CARRIES.items()))


def _peers_table(medians: Medians) -> Iterator[str]:
    held = medians.get("idle, 2000 peers: peers on ours", "server_bytes")
    connecting = medians.get("connect, authenticate, subscribe: peers on ours", "server_us")
    rows = [["GB of memory", _number(held and held / 1000)]]
    rows += [
        [
            f"processes that have all back within {within}",
            "" if connecting is None else str(math.ceil(connecting / seconds)),
        ]
        for within, seconds in (("a minute", 60), ("ten minutes", 600))
    ]
    return _table("A million idle peers |", rows)


_Value = tuple[str, tuple[str, ...]]
"""A figure, and its kinds, which are added."""


def _client(work: str, pair: str) -> _Value:
    return f"{work}: {pair}", ("client_us",)


def _server(work: str, server: str) -> _Value:
    return f"{work}: peers on {server}", ("server_us",)


def _goals() -> Iterator[tuple[str, float, _Value, _Value | None]]:
    """What, at most how much, a figure, and the one that it is divided by, if any."""
    for server, of in (("ours", "our"), ("node", "npm's")):
        for work, label, goal in (
            ("receive, one a frame", "a message received", 0.5),
            ("call, 100 in flight, 30 B", "a call of 100 in flight", 0.35),
        ):
            yield (
                f"client: {label}, against npm's client, on {of} server",
                goal,
                _client(work, f"ours on {server}"),
                _client(work, f"node on {server}"),
            )
    alone = "call, 1 in flight, 30 B"
    seconds = ("p50_us",)
    yield (
        "both ends: time of a call, alone, against npm's two",
        1.0,
        (f"{alone}: ours on ours", seconds),
        (f"{alone}: node on node", seconds),
    )
    for work, label, goal in (
        ("echo, one a frame, 100 in flight", "a call, one a frame", 0.7),
        ("echo, 100 a frame", "a call, 100 a frame", 0.6),
        ("fan-out, 1000 peers, 1 channels each, 30 B", "a delivery to 1,000 peers, 30 B", 0.6),
        ("connect, authenticate, subscribe", "a peer that connects", 1.0),
    ):
        yield f"server: {label}, against npm's", goal, _server(work, "ours"), _server(work, "node")
    idle = ("idle, 2000 peers: peers on ours", ("server_bytes",))
    yield "server: an idle peer, bytes", 9000, idle, None
    for transport, goal in (("xhr-streaming", 200), ("xhr-polling", 300)):
        both = (f"{alone}: ours on ours, {transport}", BOTH)
        yield f"both ends: a call over ``{transport}``, alone, µs", goal, both, None
    for in_flight, goal in ((100, 0.08), (1, 0.4)):
        work = f"call, {in_flight} in flight, 30 B"
        yield (
            f"client: a call of {in_flight} in flight, against python-socketio",
            goal,
            _client(work, "ours on ours"),
            _client(work, "socketio on socketio"),
        )
    for path, goal in (("/call", 0.6), ("/publish", 1.0)):
        yield (
            f"bridge: p50 of ``{path}``, against Crossbar's",
            goal,
            (f"{path}, 30 B: http on bridge", seconds),
            (f"{path}, 30 B: http on crossbar", seconds),
        )
    yield (
        "client: a call of 10,000 in flight, against one of 100",
        1.1,
        _client("call, 10000 in flight, 30 B", "ours on ours"),
        _client("call, 100 in flight, 30 B", "ours on ours"),
    )
    yield (
        "client: a message with 5,000 subscriptions, against 1",
        1.1,
        _client("receive, one a frame, 5000 channels", "ours on ours"),
        _client("receive, one a frame", "ours on ours"),
    )
    yield (
        "server: a delivery, 10,000 channels for each peer, against 1",
        1.1,
        _server("fan-out, 10 peers, 10000 channels each, 30 B", "ours"),
        _server("fan-out, 10 peers, 1 channels each, 30 B", "ours"),
    )


def _goals_table(medians: Medians) -> Iterator[str]:
    def row(label: str, goal: float, figure: _Value, other: _Value | None) -> list[str]:
        value = medians.get(figure[0], *figure[1])
        if other is not None:
            divisor = medians.get(other[0], *other[1])
            value = value / divisor if value is not None and divisor else None
        text = f"{value:.2f}" if other is not None and value is not None else _number(value)
        reached = "" if value is None else "yes" if value <= goal else "no"
        return [label, f"{goal:,g}", text, reached]

    return _table("Work | goal, at most | this run | reached", (row(*goal) for goal in _goals()))
