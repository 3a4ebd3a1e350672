"""A poll: who is logged in votes, and everybody who listens sees the result."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.web.iweb import IRequest

from txtokensock import ActionError
from txtokensock.server import Peer, TokenSocketServer, query

CHOICES = ("tea", "coffee")


def authenticate(request: IRequest) -> dict[str, Any] | None:
    """Everybody who gives a name may come in, for now."""
    user = query(request).get("user")
    return {"user": user} if isinstance(user, str) and user else None


def poll_server(**options: Any) -> TokenSocketServer:
    """A server with a poll of its own; options are those of ``TokenSocketServer``."""
    votes: dict[str, str] = {}

    def result(data: Any, peer: Peer) -> dict[str, int]:
        counted = Counter(votes.values())
        return {choice: counted[choice] for choice in CHOICES}

    def vote(choice: Any, peer: Peer) -> None:
        if choice not in CHOICES:
            raise ActionError(f"vote for one of {', '.join(CHOICES)}")
        assert peer.auth is not None  # who is not authenticated cannot call
        votes[peer.auth["user"]] = choice
        server.publish("result", result(None, peer))

    actions = {"vote": vote, "result": result}
    server = TokenSocketServer(authenticate, actions=actions, **options)
    return server
