"""A real server that may open few files: newcomers are turned away, and all else goes on."""

from __future__ import annotations

import contextlib
import socket
import sys

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest

from txtokensock import TokenSocket

from .support import InteropTestCase, until, within
from .twistd import Serve


class DescriptorTests(InteropTestCase):
    """``twistd tokensock serve`` with 256 descriptors."""

    programs = ()
    timeout = 90

    async def test_few(self) -> None:
        """
        With more clients than descriptors, the health checks are answered, who is connected goes
        on, the log says what to raise, once, and afterwards there is room again.
        """
        if sys.platform != "linux":
            raise SkipTest("needs prlimit")
        from resource import RLIMIT_NOFILE, prlimit

        server = await self.started(Serve("--limit", "head_timeout=60", admin=True))
        assert server.pid is not None
        prlimit(server.pid, RLIMIT_NOFILE, (256, 256))
        client = TokenSocket(f"http://{server.address}", reactor=reactor)
        self.addCleanup(client.end)
        client.startService()
        await within(client.when_ready())
        with contextlib.ExitStack() as stack:
            for number in range(400):
                tcp = stack.enter_context(socket.socket())
                tcp.settimeout(5)
                tcp.bind((f"127.0.1.{number % 100 + 1}", 0))
                with contextlib.suppress(ConnectionResetError):  # it is turned away
                    tcp.connect(("127.0.0.1", server.port))
                if number % 50 == 49:
                    self.assertEqual(await within(client.rpc("echo", number)), number)
                    self.assertEqual((await server.get("/healthz"))[0], 200)
            await until(lambda: "LimitNOFILE" in server.log())
            _, metrics = await server.get("/metrics")
            self.assertIn('tokensock_refused_connections_total{limit="descriptors"}', metrics)
        late = TokenSocket(f"http://{server.address}", reactor=reactor)
        self.addCleanup(late.end)
        late.startService()
        await within(late.when_ready())
        self.assertEqual(await within(late.rpc("echo", 1)), 1)
        self.assertEqual(server.log().count("LimitNOFILE"), 1)
        self.assertNotIn("Traceback", server.log())
        for each in (client, late):
            await within(each.end())
