"""
Fixtures for pytest, which finds them where the package is installed.

They need no reactor, and no plugin that runs one: the time in them only moves when a test says
so.  pytest loads this at its start, in every project; so it imports nothing before a test asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from twisted.internet.task import Clock

    from ..server import TokenSocketServer
    from . import MakeServer, MemoryServer, ScriptedServer

__all__ = ["tokensock_scripted_server", "tokensock_server"]


@pytest.fixture
def tokensock_server() -> Iterator[MakeServer]:
    """Makes a MemoryServer of a function that builds the server, given the clock."""
    from . import MemoryServer

    made: list[MemoryServer] = []

    def make(build: Callable[[Clock], TokenSocketServer]) -> MemoryServer:
        made.append(MemoryServer(build))
        return made[-1]

    yield make
    for server in made:
        server.finish()


@pytest.fixture
def tokensock_scripted_server() -> Iterator[ScriptedServer]:
    """A ScriptedServer, for tests of what a client does with a server that misbehaves."""
    from . import ScriptedServer

    server = ScriptedServer()
    yield server
    server.finish()
