"""
Metrics of a bridge for Prometheus.

The numbers are plain ones until somebody asks for them; see :mod:`txtokensock.server.ops.metrics`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

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
        text = "What happened to messages and calls, by side and rule."
        labels = ("side", "rule", "outcome")
        yield _family(CounterMetricFamily, "messages", text, labels, self._counters.counts())
        text = "Messages that wait on disk, by side and rule."
        spools = self._counters.spools()
        yield _family(GaugeMetricFamily, "spool_messages", text, ("side", "rule"), spools)
        states = self._states()
        text = "Whether a side can do its work."
        up = ((state.name, state.up) for state in states)
        yield _family(GaugeMetricFamily, "up", text, ("side",), up)
        text = "Since when a side is up or down, in seconds since the epoch."
        since = ((state.name, state.since) for state in states)
        yield _family(GaugeMetricFamily, "since_seconds", text, ("side",), since)
        text = "HTTP requests, by what they asked for and how they were answered."
        answers = ((*asked, count) for asked, count in sorted(self._answers.items()))
        yield _family(CounterMetricFamily, "http_requests", text, ("route", "status"), answers)
        text = "Connections that were turned away, or cut off, by the limit that they crossed."
        refused = sorted(self._refused.items())
        yield _family(CounterMetricFamily, "http_refused_connections", text, ("limit",), refused)
        for name, (text, value) in self._gauges.items():
            yield GaugeMetricFamily(f"tokensock_bridge_{name}", text, value())


def _family(
    kind: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    text: str,
    labels: tuple[str, ...],
    rows: Iterable[tuple[Any, ...]],
) -> Metric:
    """Each row has the values of the labels, and the number."""
    family = kind(f"tokensock_bridge_{name}", text, labels=labels)
    for *values, number in rows:
        family.add_metric([str(value) for value in values], number)
    return family
