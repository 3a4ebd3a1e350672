"""
The token-sockjs server: an ``IService`` with a resource for any twisted.web site.
"""

from ..support.deprecation import deprecated_module
from ..web.server.proxy_protocol import server_endpoint
from .hub import DROP
from .identities import ClosedPeers, PeerAnswers
from .limits import Limits
from .ops.observer import Observer
from .ops.readiness import Readiness
from .peer import Peer
from .presence import Presence
from .query import query
from .service import TokenSocketServer
from .store.interface import IStore, IStoreLink, IStoreListener
from .store.memory import MemoryStore
from .store.redis import SHARED_WITH_NODE, RedisStore

__all__ = [
    "DROP",
    "SHARED_WITH_NODE",
    "ClosedPeers",
    "IStore",
    "IStoreLink",
    "IStoreListener",
    "Limits",
    "MemoryStore",
    "Observer",
    "Peer",
    "PeerAnswers",
    "Presence",
    "Readiness",
    "RedisStore",
    "TokenSocketServer",
    "query",
    "server_endpoint",
]

for _old, _new in (
    ("closing", "close_codes"),
    ("metrics", "ops.metrics"),
    ("observer", "ops.observer"),
):
    deprecated_module(f"{__name__}.{_old}", f"{__name__}.{_new}", ends="0.3.0")
deprecated_module(f"{__name__}.origins", "txtokensock.web.server.origins", ends="0.3.0")
