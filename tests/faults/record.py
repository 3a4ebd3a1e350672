"""
What a peer knows of each request: by that the outcomes are judged.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

__all__ = ["Record"]


class Record:
    """
    The requests that came in, by their keys: the number that is in what was asked for, or
    what is asked for of a channel.

    :ivar taken: how often the peer has read each.
    :ivar wasted: how often each came in on a connection that was closing.
    """

    def __init__(self) -> None:
        self.taken: Counter[Hashable] = Counter()
        self.wasted: Counter[Hashable] = Counter()

    def take(self, message: Any) -> None:
        """It was read."""
        self.taken[_key(message)] += 1

    def waste(self, texts: Iterable[str]) -> None:
        """Nobody will ever read them."""
        self.wasted.update(_key(json.loads(text)) for text in texts)


def _key(message: Any) -> Hashable:
    name, request = message["rpc"], message.get("req")
    if name in ("_subscribe", "_unsubscribe"):
        return name, request["channel"]
    data = request["data"] if name == "_publish" else request
    return data[1] if isinstance(data, list) and len(data) == 2 else name
