"""
The names of transports, apart from the transports, which take long to import.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

__all__ = ["DEFAULT_TRANSPORTS", "TRANSPORT_NAMES", "Transport"]

Transport: TypeAlias = Literal[
    "websocket", "xhr-streaming", "eventsource", "xhr-polling", "websocket-raw"
]
"""The name of a transport: those of sockjs-client, which has no raw WebSocket."""

TRANSPORT_NAMES: tuple[Transport, ...] = get_args(Transport)
"""All of them."""

DEFAULT_TRANSPORTS: tuple[Transport, ...] = ("websocket", "xhr-streaming", "xhr-polling")
"""Those that are tried, in this order, where none are named."""
