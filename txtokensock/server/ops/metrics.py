"""
Metrics of a server for Prometheus; they need ``pip install 'txtokensock[metrics]'``.

While the server works, :class:`ServerMetrics` only adds plain numbers, because Prometheus's
own counters take a lock each time.  The numbers become Prometheus's when it asks for them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast, get_args

from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from twisted.web.resource import IResource

from .observer import ConnectionRefusal, Observer, Outcome, Problem, RequestKind

if TYPE_CHECKING:
    from ..service import TokenSocketServer

__all__ = ["BUCKETS", "ServerMetrics", "metrics_page"]

BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Upper bounds of the histogram of calls, in seconds."""

_CLIENTS_CODES = frozenset({*range(1000, 1016), 2010, 3000, 4001, 4002})
"""
Codes that get a label of their own although this server did not choose them: those of
WebSocket and of SockJS.  A client can make up thousands of others.
"""


class ServerMetrics(Observer):
    """
    An observer that counts the events of one server::

        metrics = ServerMetrics()
        server = TokenSocketServer(authenticate, observer=metrics)
        page = metrics_page(metrics.registry(server))
    """

    def __init__(self) -> None:
        self._connections = 0
        self._closes: Counter[str] = Counter()
        self._received_messages = 0
        self._received_bytes = 0
        self._sent_messages = 0
        self._sent_bytes = 0
        # Nested, and no Counter: once per request, that is three times as quick.
        self._requests: dict[RequestKind, dict[Outcome, int]] = {
            kind: defaultdict(int) for kind in get_args(RequestKind)
        }
        self._problems: Counter[Problem] = Counter()
        self._dropped_messages = 0
        self._store_gaps = 0
        self._store_gap_seconds = 0.0
        self._refused: Counter[ConnectionRefusal] = Counter()
        self._tokens: Counter[int] = Counter()
        self._call_times = [0] * (len(BUCKETS) + 1)
        self._call_seconds = 0.0

    def registry(self, server: TokenSocketServer) -> CollectorRegistry:
        """
        A Prometheus registry with the metrics of one server.

        :param server: which this observes.
        :return: a registry that holds nothing else.
        """
        registry = CollectorRegistry()
        registry.register(_ServerCollector(self, server))
        return registry

    # -- Observer

    def peer_connected(self) -> None:
        self._connections += 1

    def peer_gone(self, code: int | None, by_server: bool) -> None:
        if code is None:
            self._closes["lost"] += 1
        else:
            self._closes[str(code) if by_server or code in _CLIENTS_CODES else "other"] += 1

    def message_received(self, size: int) -> None:
        self._received_messages += 1
        self._received_bytes += size

    def messages_sent(self, count: int, size: int) -> None:
        self._sent_messages += count
        self._sent_bytes += size

    def request_answered(self, request: RequestKind, outcome: Outcome, seconds: float) -> None:
        self._requests[request][outcome] += 1
        if request == "call":
            self._call_times[bisect_left(BUCKETS, seconds)] += 1
            self._call_seconds += seconds

    def message_refused(self, problem: Problem) -> None:
        self._problems[problem] += 1

    def message_dropped(self, size: int) -> None:
        self._dropped_messages += 1

    def store_interrupted(self, seconds: float) -> None:
        self._store_gaps += 1
        self._store_gap_seconds += seconds

    def connection_refused(self, refusal: ConnectionRefusal) -> None:
        self._refused[refusal] += 1

    def token_answered(self, status: int) -> None:
        self._tokens[status] += 1

    # -- for the collector

    def collect(self) -> Iterator[Metric]:
        """
        The metrics at this moment.  It may be called in another thread than the server's,
        so it copies whatever can change its size meanwhile.
        """
        yield _counted("connections", "Peers that connected.", self._connections)
        yield _counted("received_messages", "Messages from clients.", self._received_messages)
        yield _counted("received_bytes", "Bytes of messages from clients.", self._received_bytes)
        yield _counted("sent_messages", "Messages to clients.", self._sent_messages)
        yield _counted("sent_bytes", "Bytes of messages to clients.", self._sent_bytes)
        text = "Messages not delivered, as too much waited."
        yield _counted("dropped_messages", text, self._dropped_messages)
        text = "Times in which messages of other servers may have been lost."
        yield _counted("store_gaps", text, self._store_gaps)
        text = "Seconds of those times."
        yield _counted("store_gap_seconds", text, self._store_gap_seconds)
        yield from self._collect_requests()
        text = "Ends of peers by close code: lost without one, other for a client's own."
        yield _counted_by("code", "closes", text, self._closes.copy())
        text = "Connections that were turned away, or cut off, by the limit that they crossed."
        yield _counted_by("limit", "refused_connections", text, self._refused.copy())
        text = "Token requests by HTTP status."
        yield _counted_by("status", "token_requests", text, self._tokens.copy())
        bounds = [*map(str, BUCKETS), "+Inf"]
        buckets = list(zip(bounds, accumulate(tuple(self._call_times)), strict=True))
        yield HistogramMetricFamily(
            "tokensock_call_seconds",
            "Seconds from a client's call to its answer.",
            buckets=buckets,
            sum_value=self._call_seconds,
        )

    def _collect_requests(self) -> Iterator[Metric]:
        requests = {kind: outcomes.copy() for kind, outcomes in self._requests.items()}
        problems: Counter[str] = Counter(self._problems.copy())
        for outcomes in requests.values():
            problems.update(outcomes)
        del problems["success"], problems["cancelled"]  # nobody was told of an error
        text = "Calls of clients by how they ended."
        yield _counted_by("outcome", "calls", text, requests["call"])
        text = "Requests of clients, calls included, by how they ended."
        family = CounterMetricFamily("tokensock_requests", text, labels=("request", "outcome"))
        for kind, outcomes in requests.items():
            for outcome, count in outcomes.items():
                family.add_metric((kind, outcome), count)
        yield family
        yield _counted_by("kind", "errors", "Errors that clients were told of.", problems)


class _ServerCollector(Collector):
    """The counted metrics, and those that are read from the server itself."""

    def __init__(self, metrics: ServerMetrics, server: TokenSocketServer) -> None:
        self._metrics = metrics
        self._server = server

    def collect(self) -> Iterator[Metric]:
        server, now = self._server, self._server.readiness
        yield _gauge("peers", "Authenticated peers.", len(server.peers()))
        yield _gauge("channels", "Channels with a peer here.", len(server.channels()))
        yield _gauge("ready", "Whether clients can come in.", now.ready)
        yield _gauge(
            "store_available", "Whether the store can be reached.", bool(now.store_available)
        )
        yield from self._metrics.collect()


def metrics_page(registry: CollectorRegistry) -> IResource:
    """
    A page for Prometheus.

    :return: the resource of Prometheus's own client, which needs the global reactor and its
        threads.
    """
    from prometheus_client.twisted import MetricsResource  # takes the global reactor

    return cast(IResource, MetricsResource(registry))  # type: ignore[no-untyped-call]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tokensock_{name}", text, value)


def _counted(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"tokensock_{name}", text, value)


def _counted_by(label: str, name: str, text: str, counts: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(f"tokensock_{name}", text, labels=(label,))
    for value, count in counts.items():
        family.add_metric((str(value),), count)
    return family
