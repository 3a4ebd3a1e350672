"""
HTTP in: what speaks HTTP calls, publishes and listens.

Needs ``pip install txtokensock[bridge]``.
"""

from .http_side import HttpSide

__all__ = ["HttpSide"]
