"""
The token-sockjs server: an ``IService`` with a resource for any twisted.web site.
"""

from .hub import DROP
from .limits import Limits
from .memory import MemoryStore
from .observer import Observer
from .peer import Peer
from .query import query
from .readiness import Readiness
from .redis import RedisStore
from .service import TokenSocketServer
from .store import IStore, IStoreLink, IStoreListener

__all__ = [
    "DROP",
    "IStore",
    "IStoreLink",
    "IStoreListener",
    "Limits",
    "MemoryStore",
    "Observer",
    "Peer",
    "Readiness",
    "RedisStore",
    "TokenSocketServer",
    "query",
]
