"""
The names of transports, apart from the transports, which take long to import.
"""

from __future__ import annotations

__all__ = ["DEFAULT_TRANSPORTS", "TRANSPORT_NAMES"]

TRANSPORT_NAMES = ("websocket", "xhr-streaming", "eventsource", "xhr-polling", "websocket-raw")
"""Those of sockjs-client, which has no raw WebSocket."""

DEFAULT_TRANSPORTS = ("websocket", "xhr-streaming", "xhr-polling")
"""Those that are tried, in this order, where none are named."""
