"""
Metrics of a bridge for Prometheus.

The numbers are plain ones until somebody asks for them; see :mod:`txtokensock.server.ops.metrics`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ...web.server.site_limits import Refusal
from ..counters import Counters
from ..health import SideState
from .responses import ApiResponse

__all__ = ["BridgeMetrics"]


class BridgeMetrics(Collector):
    """
    A registry of the bridge's own.

    :param counters: by rule.
    :param states: asked each time.
    :param gauges: more numbers of now, by name: what they are, and what they are now.
    """

    def __init__(
        self,
        counters: Counters,
        states: Callable[[], list[SideState]],
        gauges: dict[str, tuple[str, Callable[[], float]]],
    ) -> None:
        self._counters = counters
        self._states = states
        self._gauges = gauges
        self._answers: Counter[tuple[str, int]] = Counter()
        self._refused: Counter[Refusal] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def answered(self, route: str, status: int) -> None:
        """A request was answered."""
        self._answers[route, status] += 1

    def refused(self, refusal: Refusal) -> None:
        """A connection has crossed a limit of the site."""
        self._refused[refusal] += 1

    def page(self) -> ApiResponse:
        """``/metrics``, in the text format that every version of Prometheus reads."""
        return ApiResponse(200, generate_latest(self._registry), CONTENT_TYPE_LATEST)

    def collect(self) -> Iterator[Metric]:
        """Give Prometheus the numbers of this moment."""
        messages = CounterMetricFamily(
            "tokensock_bridge_messages",
            "What happened to messages and calls, by side and rule.",
            labels=("side", "rule", "outcome"),
        )
        for side, rule, outcome, count in self._counters.counts():
            messages.add_metric((side, rule, outcome), count)
        yield messages
        spool = GaugeMetricFamily(
            "tokensock_bridge_spool_messages",
            "Messages that wait on disk, by side and rule.",
            labels=("side", "rule"),
        )
        for side, rule, count in self._counters.spools():
            spool.add_metric((side, rule), count)
        yield spool
        yield from self._of_sides()
        requests = CounterMetricFamily(
            "tokensock_bridge_http_requests",
            "HTTP requests, by what they asked for and how they were answered.",
            labels=("route", "status"),
        )
        for (route, status), count in sorted(self._answers.items()):
            requests.add_metric((route, str(status)), count)
        yield requests
        refused = CounterMetricFamily(
            "tokensock_bridge_http_refused_connections",
            "Connections that were turned away, or cut off, by the limit that they crossed.",
            labels=("limit",),
        )
        for limit, count in sorted(self._refused.items()):
            refused.add_metric((limit,), count)
        yield refused
        for name, (text, value) in self._gauges.items():
            yield GaugeMetricFamily(f"tokensock_bridge_{name}", text, value())

    def _of_sides(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "tokensock_bridge_up", "Whether a side can do its work.", labels=("side",)
        )
        since = GaugeMetricFamily(
            "tokensock_bridge_since_seconds",
            "Since when a side is up or down, in seconds since the epoch.",
            labels=("side",),
        )
        for state in self._states():
            up.add_metric((state.name,), state.up)
            since.add_metric((state.name,), state.since)
        yield up
        yield since
