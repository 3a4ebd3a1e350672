"""
A test kit: servers and clients in memory, on a ``task.Clock``.

- :class:`ScriptedServer` is a server that does what the test says, right or wrong, and
  notes what the client sent: for tests of clients.
- :class:`MemoryServer` is a real :class:`~txtokensock.server.TokenSocketServer`: for tests
  of applications.
- :class:`MemoryNetwork` is the TCP that both stand on.

Nothing here opens a socket, sleeps, or uses the global reactor.
"""

from .network import MemoryNetwork, MemoryTransport
from .pair import MemoryServer
from .script import Step
from .scripted import ScriptedServer, ScriptedTokenRequest
from .scripted_session import ScriptedSession

__all__ = [
    "MemoryNetwork",
    "MemoryServer",
    "MemoryTransport",
    "ScriptedServer",
    "ScriptedSession",
    "ScriptedTokenRequest",
    "Step",
]
