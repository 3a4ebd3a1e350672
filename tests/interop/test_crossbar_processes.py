"""
Bridges as processes: the page's example as it is printed, and one that is killed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.kit.processes import Program

from .crossbar import ROOT, Crossbar
from .crossbar_peers import CrossbarTestCase
from .embedded import EmbeddedServer
from .support import Heard, until, within
from .twistd import Bridge

EXAMPLES = ROOT / "examples"


class WampBridge(Bridge):
    """A bridge with a WAMP side."""

    start_seconds = 60.0

    def is_ready(self, line: str) -> bool:
        return "joined realm1" in line


class Component(Program):
    """``examples/wamp_component.py``."""

    name = "wamp_component.py"
    start_seconds = 60.0

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def command(self) -> list[str]:
        return [sys.executable, "examples/wamp_component.py", self._url]

    def is_ready(self, line: str) -> bool:
        return line == "the server says {'hello': 'server'}"


class Processes(CrossbarTestCase):
    """Two bridges, of which the one that has the lease is killed."""

    async def test_example_and_kill(self) -> None:
        """
        The example does what the page says.  SIGKILL for the bridge that forwards: the
        other one does within five seconds, and nothing arrives twice.
        """
        server = EmbeddedServer()
        self.addCleanup(server.close)
        await server.start()
        crossbar = await self.started(Crossbar())
        config = self.example(server.url, crossbar.url)
        one = await self.started(WampBridge(config))
        await one.until(lambda: any("is ours" in line for line in one.output))
        component = await self.started(Component(crossbar.url))
        client = await self.socket(server.url)
        messages = Heard()
        await within(client.subscribe("news", messages))
        await within(client.publish("news", {"title": "hello"}))
        await component.until(lambda: "news: {'title': 'hello'}" in component.output)

        other = await self.started(WampBridge(config))
        await other.until(lambda: any("another bridge" in line for line in other.output))
        peer = await self.peer(crossbar)
        events = await peer.hear("com.example.news")
        await messages.until(1)
        began = reactor.seconds()
        await one.kill()
        await other.until(lambda: any("is ours" in line for line in other.output), 5)
        self.assertLess(reactor.seconds() - began, 5)
        await until(lambda: len(server.server.channel_peers("news")) == 2)
        events.clear()
        messages.clear()
        for _ in range(100):
            await within(client.publish("news", "same"))
            await within(peer.tell("com.example.news", "same"))
        await events.until(100)
        await messages.until(200)
        await deferLater(reactor, 0.2)
        self.assertEqual((len(events), len(messages)), (100, 200))

    def example(self, upstream: str, router: str) -> Path:
        """The example's configuration, with the ports of this test."""
        text = (EXAMPLES / "wamp.toml").read_text(encoding="utf-8")
        for example, here in [
            ("http://127.0.0.1:8080", upstream),
            ("ws://127.0.0.1:8081/ws", router),
        ]:
            self.assertIn(example, text)
            text = text.replace(example, here)
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-bridge-")
        self.addCleanup(directory.cleanup)
        config = Path(directory.name) / "bridge.toml"
        config.write_text(text, encoding="utf-8")
        return config
