"""
The actions and the authentication that ``twistd tokensock`` serves when it is given none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.web.iweb import IRequest

from .peer import Peer
from .query import query

__all__ = ["ACTIONS", "authenticate"]


def authenticate(request: IRequest) -> Mapping[str, Any]:
    """Let everybody in, under any name that they give."""
    return query(request)


def echo(data: Any, peer: Peer) -> Any:
    """:return: what was sent."""
    return data


def whoami(data: Any, peer: Peer) -> Any:
    """:return: what the peer said of itself when it asked for its token."""
    return peer.auth


ACTIONS = {"echo": echo, "whoami": whoami}
"""The actions, for ``TokenSocketServer(actions=...)``."""
