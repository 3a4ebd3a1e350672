"""
The recipes of ``docs/testing.rst`` do what they say.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.server import TokenSocketServer
from txtokensock.testing import MemoryServer, ScriptedServer

from .types import names
from .types.pages import ROOT, blocks

ACTIONS = {"echo": lambda data, peer: data, "slow": lambda data, peer: Deferred()}


class RecipeTests(SynchronousTestCase):
    """Each block of the page is run, with the names that it takes for granted."""

    def run_block(self, line: int, block: str) -> None:
        """Run it with a client that is ready, of a scripted server where it speaks of one."""
        memory = MemoryServer(
            lambda clock: TokenSocketServer(lambda request: True, actions=ACTIONS, reactor=clock)
        )
        scripted = ScriptedServer()
        host = scripted if "scripted" in block else memory
        client = host.client()
        client.startService()
        host.settle()
        namespace: dict[str, Any] = {
            **vars(names),
            "memory": memory,
            "scripted": scripted,
            "client": client,
        }
        exec(compile(block, f"docs/testing.rst, from line {line}", "exec"), namespace)
        memory.finish()
        scripted.finish()

    def test_recipes(self) -> None:
        """None of them raises, asserts in vain, or leaves anything."""
        page = (ROOT / "docs" / "testing.rst").read_text(encoding="utf-8")
        for line, block in blocks(page):
            self.run_block(line, block)
