"""
What it costs a server to be counted.

One peer calls ``echo``, in batches, in memory: nothing but the server's own work on a call,
from the message that came in to the frame that goes out.  Behind real connections a call
costs several times that, and counting no more than here.  In turns within one run:

- ``unobserved``: without an observer, as without ``--admin``;
- ``counted``: with :class:`ServerMetrics`;
- ``seam``: what the calls of the empty observer alone take of ``unobserved``;
- ``prometheus``: the same calls, each of which adds to Prometheus's own counters.

It prints each as a multiple of ``unobserved``, the median of all rounds with the lowest and
the highest::

    python benchmarks/metrics.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from txtokensock.server import Limits, Observer, TokenSocketServer
from txtokensock.server.demo import ACTIONS, authenticate
from txtokensock.server.ops.metrics import ServerMetrics
from txtokensock.server.peer_protocol import PeerProtocol

BATCH = 5000
MESSAGE = b'{"rpc":"echo","req":{"foo":"bar","numbers":[1,2,3]},"uuid":"0123456789abcdef-1f"}'


class Nowhere:
    """A SockJS transport that drops what it gets."""

    def writeSequence(self, messages: list[bytes]) -> None:
        """Drop them."""


class Real(Clock):
    """A clock of the real time, that moves its calls by hand; so does the reactor's."""

    seconds = staticmethod(time.time)


class InPrometheus(Observer):
    """Counts as one would without a second thought."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        names = ("messages_in", "bytes_in", "messages_out", "bytes_out")
        self._counters = [Counter(name, name, registry=registry) for name in names]
        self._requests = Counter("requests", "requests", ["kind", "outcome"], registry=registry)
        self._seconds = Histogram("seconds", "seconds", registry=registry)

    def message_received(self, size: int) -> None:
        self._counters[0].inc()
        self._counters[1].inc(size)

    def messages_sent(self, count: int, size: int) -> None:
        self._counters[2].inc(count)
        self._counters[3].inc(size)

    def request_answered(self, request: str, outcome: str, seconds: float) -> None:
        self._requests.labels(request, outcome).inc()
        self._seconds.observe(seconds)


def caller(observer: Observer | None) -> Callable[[], None]:
    """A server's authenticated peer; calling it is a batch of calls, each in its own turn."""
    clock = Real()
    limits = Limits(messages_per_second=1e9, message_burst=10**9)
    server = TokenSocketServer(
        authenticate, actions=ACTIONS, limits=limits, observer=observer, reactor=clock
    )
    server.startService()
    peer = PeerProtocol(server._context, IPv4Address("TCP", "127.0.0.1", 1))
    peer.makeConnection(Nowhere())
    peer.state.identity = {}

    def batch() -> None:
        for _ in range(BATCH):
            peer.dataReceived(MESSAGE)
            peer._outbox.flush()

    return batch


def seam() -> None:
    """What the server tells its observer of a call."""
    observer = Observer()
    for _ in range(BATCH):
        observer.message_received(len(MESSAGE))
        observer.request_answered("call", "success", time.time() - time.time())
        observer.messages_sent(1, 100)


def main() -> None:
    """The rounds, and what came of them."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else 40
    kinds = {
        "unobserved": caller(None),
        "counted": caller(ServerMetrics()),
        "seam": seam,
        "prometheus": caller(InPrometheus()),
    }
    ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
    for round in range(rounds + 2):
        seconds = {}
        for kind, run in kinds.items():
            start = time.process_time()
            run()
            seconds[kind] = time.process_time() - start
        if round >= 2:  # the first warm up
            for kind, taken in seconds.items():
                ratios[kind].append(taken / seconds["unobserved"])
    for kind, values in ratios.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{kind:<12} {middle:6.3f}   ({low:.3f} to {high:.3f})")
    print(f"{seconds['unobserved'] / BATCH * 1e6:.1f} us a call, unobserved")


if __name__ == "__main__":
    main()
