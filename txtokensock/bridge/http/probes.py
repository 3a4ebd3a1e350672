"""
``/readyz``: which sides are up and which are down, and since when.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from ..health import SideState
from .responses import ApiResponse, json_response

__all__ = ["readiness"]


def readiness(states: list[SideState], now: float, details: bool) -> ApiResponse:
    """
    :param states: of all sides.
    :param now: seconds since the epoch.
    :param details: whether who asks may know why a side is down.
    :return: 200 if every side can do its work, else 503.
    """
    ready = all(state.up for state in states)
    sides = {state.name: _describe(state, now, details) for state in states}
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return json_response(status, {"ready": ready, "sides": sides})


def _describe(state: SideState, now: float, details: bool) -> dict[str, Any]:
    since = datetime.fromtimestamp(state.since, UTC).isoformat(timespec="milliseconds")
    seconds = round(max(0.0, now - state.since), 3)
    described = {
        "up": state.up,
        "state": state.condition.value,
        "since": since,
        "seconds": seconds,
    }
    return described | {"detail": state.detail} if details else described
