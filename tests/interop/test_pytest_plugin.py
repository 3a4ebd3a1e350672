"""
The fixtures, as pytest finds them in another project.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path
from shutil import rmtree

from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).parents[2]
PLUGIN = "txtokensock.testing.pytest_plugin"

TESTS = """
import pytest

from txtokensock import ConnectionLost
from txtokensock.server import TokenSocketServer


def build(clock):
    actions = {"echo": lambda data, peer: data}
    return TokenSocketServer(lambda request: True, actions=actions, reactor=clock)


def test_server(tokensock_server):
    memory = tokensock_server(build)

    async def talk():
        async with memory.client() as client:
            return await client.rpc("echo", 5)

    assert memory.result(talk()) == 5
    client = memory.client()
    client.startService()
    memory.settle()
    lost = client.rpc("echo", 5)
    memory.fault("drop")
    with pytest.raises(ConnectionLost):
        memory.result(lost)


def test_scripted_server(tokensock_scripted_server):
    client = tokensock_scripted_server.client()
    client.startService()
    tokensock_scripted_server.settle()
    assert client.connected


def test_left(tokensock_server):
    tokensock_server(build).clock.callLater(1000, print)
"""


class PluginTests(SynchronousTestCase):
    """pytest in a process of its own."""

    def run_python(self, *arguments: str, **environment: str) -> str:
        """What a Python prints in a directory with a test file."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(rmtree, folder)
        (folder / "test_with_fixtures.py").write_text(TESTS)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        return done.stdout + done.stderr

    def test_fixtures(self) -> None:
        """They do without a reactor; a test that leaves something has an error at its end."""
        printed = self.run_python(
            *("-m", "pytest", "-q", "-p", PLUGIN), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"
        )
        self.assertIn("3 passed, 1 error", printed)
        self.assertIn("left at the end: [<DelayedCall", printed)

    def test_light(self) -> None:
        """pytest loads it in every project: it brings nothing of Twisted's along."""
        code = f"import sys, {PLUGIN}; print([n for n in sys.modules if n == 'twisted'])"
        self.assertEqual(self.run_python("-c", code), "[]\n")

    def test_entry_point(self) -> None:
        """An installed package is found."""
        found = [point.value for point in entry_points(group="pytest11", name=PLUGIN)]
        if not found and os.environ.get("CI") != "true":
            raise SkipTest("needs txtokensock to be installed anew, since it has the fixtures")
        self.assertEqual(found, [PLUGIN])
