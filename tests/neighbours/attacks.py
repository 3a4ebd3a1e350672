"""All attacks."""

from __future__ import annotations

from . import (
    attacks_bridge,
    attacks_connections,
    attacks_corners,
    attacks_peers,
    attacks_strangers,
    attacks_wamp,
)

__all__ = ["ATTACKS"]

ATTACKS = [
    *attacks_connections.ATTACKS,
    *attacks_strangers.ATTACKS,
    *attacks_peers.ATTACKS,
    *attacks_corners.ATTACKS,
    *attacks_bridge.ATTACKS,
    *attacks_wamp.ATTACKS,
]
"""In the order in which they are run."""
