"""
Events of the log as JSON, for machines: one object a line.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from twisted.logger import LogEvent, formatEvent

from ..address import shown_address
from ..server.peer import Peer

__all__ = ["json_line"]

_LONGEST_FIELD = 1024
_LONGEST_TEXT = 8 * 1024
_LONGEST_TRACEBACK = 64 * 1024
_MOST_ELEMENTS = 100
_LARGEST = 2**53
"""Of the integers, those that every reader of JSON keeps as they are."""

_OF_TWISTED = {"message", "time", "system", "format", "isError", "failure", "why", "logLevel"}
"""What Twisted puts into events for observers of its older kind."""


def json_line(event: LogEvent) -> str:
    """
    :return: the event as a JSON object and a line break, ASCII alone, whatever its fields are.
        Its own fields come between ``text`` and ``traceback``, and replace none of the others.
    """
    level = event.get("log_level")
    failure = event.get("log_failure")
    seconds = event.get("log_time", 0.0)
    record: dict[str, Any] = {
        "time": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "level": "info" if level is None else level.name,
        "namespace": _text(event.get("log_namespace") or ""),
    }
    if "event" in event:
        record["event"] = _text(event["event"])
    record["text"] = _cut(formatEvent(event), _LONGEST_TEXT)
    for name, value in event.items():
        if not name.startswith("log_") and name not in _OF_TWISTED:
            for part, known in _known(name, value):
                record.setdefault(part, known)
    if failure is not None:
        record["traceback"] = _traceback(failure)
    return json.dumps(record) + "\n"


def _known(name: str, value: Any) -> list[tuple[str, Any]]:
    """A field as JSON knows it.  Of a peer there are two: its id, and where it is."""
    if isinstance(value, Peer):
        return [(name, value.id), (f"{name}_address", _text(value.address))]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [(name, [_simple(each) for each in list(value)[:_MOST_ELEMENTS]])]
    return [(name, _simple(value))]


def _simple(value: Any) -> bool | int | float | str | None:
    if value is None or type(value) is bool:
        return value
    if type(value) is int and abs(value) <= _LARGEST:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    return _text(value)


def _text(value: Any) -> str:
    address = shown_address(value)
    if address is not None:
        return address
    try:
        text = str(value)
    except Exception:  # of the application's own class
        return f"<{type(value).__name__} without a text>"
    return _cut(text, _LONGEST_FIELD)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _traceback(failure: Any) -> str:
    """Its end, where the exception is, if it is too long."""
    try:
        text: str = failure.getTraceback()
    except Exception as problem:  # an exception that cannot even say what it is
        return f"no traceback: {type(problem).__name__}"
    return text if len(text) <= _LONGEST_TRACEBACK else f"…{text[1 - _LONGEST_TRACEBACK :]}"
