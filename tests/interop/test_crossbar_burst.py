"""
A burst of WAMP events: what a bridge does not hand over, it counts, and it lives on.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from autobahn.wamp.types import PublishOptions
from twisted.internet import reactor
from twisted.internet.task import deferLater

from .crossbar import Crossbar
from .crossbar_peers import CrossbarTestCase, Peer
from .embedded import EmbeddedServer
from .support import Heard, until, within
from .test_crossbar_processes import WampBridge

CONFIG = """
[upstream]
host = "{upstream}"

[http]
listen = "tcp:{port}:interface=127.0.0.1"
authentication = "none"

[wamp]
url = "{router}"
realm = "realm1"
ping = 1
ping_timeout = 1

[[wamp.channels]]
channel = "news"
topic = "com.example.news"
direction = "to-upstream"
name = "news"
"""

BATCH = 200
BATCHES = 150
SECONDS = 8.0
_COUNT = re.compile(r'tokensock_bridge_messages_total\{outcome="(\w+)",rule="news".*\} (\S+)')


class PingingCrossbar(Crossbar):
    """A router that drops who does not answer a ping in time, as Crossbar's templates say."""

    def config(self) -> dict[str, Any]:
        whole = super().config()
        websocket = whole["workers"][0]["transports"][0]["websocket"]["ws"]
        websocket["options"] = {"auto_ping_interval": 1000, "auto_ping_timeout": 5000}
        return whole


class BurstTests(CrossbarTestCase):
    """30,000 events in 8 seconds, more than the server takes from one peer."""

    async def test_burst(self) -> None:
        """Each has arrived or is counted as dropped, and nobody is cut off."""
        server = EmbeddedServer()
        self.addCleanup(server.close)
        await server.start()
        crossbar = await self.started(PingingCrossbar())
        bridge = await self.bridge_of(server.url, crossbar.url)
        client = await self.socket(server.url)
        messages = Heard()
        await within(client.subscribe("news", messages))
        peer = await self.peer(crossbar)
        await within(self.subscribed(peer))
        await self.publish(peer)

        async def all_in() -> bool:
            counts = await self.counts(bridge)
            return counts["in"] == BATCH * BATCHES == counts["out"] + counts["dropped"]

        await until(all_in, lambda: "\n".join(bridge.output[-20:]), 60)
        await until(lambda: len(messages) > 0)
        counts = await self.counts(bridge)
        await messages.until(counts["out"])
        self.assertEqual(len(messages), counts["out"])
        numbers = [number for (number,) in messages]
        self.assertEqual(numbers, sorted(numbers))
        self.assertEqual((await bridge.readiness())[0], 200)
        for once in ("joined realm1", "upstream connected"):
            self.assertEqual(sum(once in line for line in bridge.output), 1)

    async def bridge_of(self, upstream: str, router: str) -> WampBridge:
        """A bridge in a process of its own."""
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-bridge-")
        self.addCleanup(directory.cleanup)
        config = Path(directory.name) / "bridge.toml"
        bridge = WampBridge(config)
        config.write_text(CONFIG.format(upstream=upstream, router=router, port=bridge.port))
        await self.started(bridge)
        await bridge.until_ready()
        return bridge

    async def subscribed(self, peer: Peer) -> None:
        """Wait until the bridge listens to the topic."""
        while not (await peer.call("wamp.subscription.list"))["exact"]:
            await deferLater(reactor, 0.05)

    async def publish(self, peer: Peer) -> None:
        """All of them, evenly."""
        begun = reactor.seconds()
        unacknowledged = PublishOptions(acknowledge=False)
        for batch in range(BATCHES):
            for number in range(batch * BATCH, (batch + 1) * BATCH):
                peer.publish("com.example.news", number, options=unacknowledged)
            due = begun + SECONDS * (batch + 1) / BATCHES
            await deferLater(reactor, max(0.0, due - reactor.seconds()))

    async def counts(self, bridge: WampBridge) -> Counter[str]:
        """What the bridge has counted for the rule."""
        _, page = await bridge.get("/metrics")
        return Counter({outcome: int(float(count)) for outcome, count in _COUNT.findall(page)})
