"""
HTTP in: clients that speak HTTP call functions, publish, and listen.

Needs ``pip install 'txtokensock[bridge]'``.
"""

from .http_side import HttpSide

__all__ = ["HttpSide"]
