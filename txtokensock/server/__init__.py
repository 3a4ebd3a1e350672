"""
The token-sockjs server: an ``IService`` with a resource for any twisted.web site.
"""

from .hub import DROP
from .limits import Limits
from .memory import MemoryStore
from .peer import Peer
from .query import query
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
    "Peer",
    "RedisStore",
    "TokenSocketServer",
    "query",
]
