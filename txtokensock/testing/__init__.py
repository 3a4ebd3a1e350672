"""
A test kit: servers and clients in memory, on a ``task.Clock``.

- :class:`MemoryServer` is a real :class:`~txtokensock.server.TokenSocketServer`: for tests
  of applications.
- :class:`StubTokenSocket` is a client without a server: for tests of code that only calls and
  publishes.
- :class:`ScriptedServer` is a server that does what the test says, right or wrong, and
  notes what the client sent: for tests of what a client does then.
- :class:`MemoryNetwork` is the TCP that the servers stand on.

Nothing here opens a socket, sleeps, or uses the global reactor.
"""

from typing import TYPE_CHECKING

from ..support.lazy_exports import lazy_exports

__all__ = [
    "MakeServer",
    "MemoryNetwork",
    "MemoryServer",
    "MemoryTransport",
    "NetworkFault",
    "RequestFault",
    "ScriptedServer",
    "ScriptedSession",
    "ScriptedTokenRequest",
    "Step",
    "StubTokenSocket",
    "result_of",
]

# pytest loads this package at its start, for the fixtures.
if TYPE_CHECKING:
    from .network import MemoryNetwork, MemoryTransport, NetworkFault
    from .pair import MakeServer, MemoryServer
    from .results import result_of
    from .script import Step
    from .scripted import ScriptedServer, ScriptedTokenRequest
    from .scripted_session import ScriptedSession
    from .stub import RequestFault, StubTokenSocket
else:
    __getattr__, __dir__ = lazy_exports(
        globals(),
        {
            **dict.fromkeys(("MakeServer", "MemoryServer"), ".pair"),
            **dict.fromkeys(("MemoryNetwork", "MemoryTransport", "NetworkFault"), ".network"),
            **dict.fromkeys(("RequestFault", "StubTokenSocket"), ".stub"),
            **dict.fromkeys(("ScriptedServer", "ScriptedTokenRequest"), ".scripted"),
            "ScriptedSession": ".scripted_session",
            "Step": ".script",
            "result_of": ".results",
        },
    )
