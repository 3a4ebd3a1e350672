"""
The WAMP side of the bridge; :class:`TokenSocketComponent` is for Crossbar containers.
"""

from typing import Any

__all__ = ["TokenSocketComponent"]


def __getattr__(name: str) -> Any:
    # The configuration knows patterns of this package, and needs no Autobahn for them.
    if name == "TokenSocketComponent":
        from .component import TokenSocketComponent

        return TokenSocketComponent
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
