"""``twistd tokensock serve --config`` as a process: mistakes, reloads, and systemd's sockets."""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue

from tests.kit.certificates import self_signed
from txtokensock import TLSPolicy

from .servers import Server
from .support import Heard, until, within
from .test_serve import CREDENTIALS, ServeTestCase
from .twistd import NotifySocket, Twistd, script

CONFIG = """\
[server]
listen = "tcp:{port}:interface=127.0.0.1"
authentication = "application:authenticate"
actions = "txtokensock.server.demo:ACTIONS"
"""

TLS = """\
[server]
authentication = "application:authenticate"
actions = "application:make_actions"
[tls]
listen = "tcp:{port}:interface=127.0.0.1"
certificate = "certificate.pem"
key = {{ file = "certificate.key" }}
"""


class ConfiguredServe(Twistd):
    """A server with a file."""

    name = "twistd tokensock serve --config"

    def arguments(self) -> list[str]:
        return ["serve", "--config", "serve.toml"]

    def configure(self, text: str) -> None:
        """Write the file."""
        (self.directory / "serve.toml").write_text(text.format(port=self.port))

    def is_ready(self, line: str) -> bool:
        return "token-sockjs server on" in line


class Activated(Server):
    """A server whose socket a parent holds, as systemd does."""

    name = "socket activation"

    def command(self) -> list[str]:
        serve = ["serve", "--listen", "systemd:domain=INET:index=0", "--authentication", "demo"]
        twistd = [script("twistd"), "--pidfile=", "-n", "tokensock", *serve]
        parent = Path(__file__).with_name("activation.py")
        return [sys.executable, str(parent), str(self.port), *twistd]

    def is_ready(self, line: str) -> bool:
        return "token-sockjs server on" in line

    async def close(self) -> None:
        if self.running:
            self.signal("TERM")  # for the command is the parent's to end
            await self.ended()
        await super().close()


class ConfiguredServeTests(ServeTestCase):
    """With files of its own."""

    async def configured(self, text: str, **environment: str) -> ConfiguredServe:
        """A server that runs by this configuration."""
        server = ConfiguredServe(self.directory, **environment)
        server.configure(text)
        return await self.started(server)

    async def test_bad(self) -> None:
        """Every mistake is a line with its place, the status is 2, and nothing is started."""
        (self.directory / "broken.py").write_text("1 / 0\n")
        server = ConfiguredServe(self.directory)
        self.addCleanup(server.close)
        listen = 'listen = "tcp:{port}:interface=127.0.0.1"\n'
        for text, lines in (
            ("[server]\n" + listen + "ping = 1\n[limits]\ncalls = 0\n", [":3:", ":5:"]),
            ("[server]\n" + listen + 'actions = "broken:x"\n', [":3:"]),
            ('[server]\nlisten = "tcp:{port}"\n', [":2:"]),
            ("[tls]\n" + listen + 'certificate = "none"\n', [":1:"]),
            ("[server\n", [":"]),
        ):
            server.configure(text)
            for more in ([], ["--check"]):
                program, *arguments = [*server.command(), *more]
                out, err, status = await within(
                    getProcessOutputAndValue(
                        program, arguments, os.environ, str(self.directory), reactor
                    )
                )
                said = err.decode().splitlines()
                self.assertEqual((status, len(said)), (2, len(lines)), said)
                for line, place in zip(said, lines, strict=True):
                    self.assertTrue(line.startswith(f"twistd tokensock: serve.toml{place}"), line)
                self.assertNotIn(b"server on", out)

    async def test_reload_under_load(self) -> None:
        """SIGHUP while clients call: no call is lost, no connection ends, new limits hold."""
        server = await self.configured(CONFIG)
        host = f"127.0.0.1:{server.port}"
        clients = [await self.client(host) for _ in range(4)]
        ended = Heard()
        for client in clients:
            client.on("disconnect", ended)
        numbers = itertools.count()
        answered = 0
        going_on = True

        async def call(client: Any) -> None:
            nonlocal answered
            while going_on:
                number = next(numbers)
                self.assertEqual(await client.rpc("echo", number), number)
                answered += 1

        calls = [within(call(client), 60) for client in clients for _ in range(5)]
        for number in range(1, 6):
            before = answered
            await until(lambda before=before: answered > before + 100, lambda: server.log())
            server.configure(CONFIG + f"[limits]\nchannels = {number}\n")
            server.signal("HUP")
            await server.line("reloaded /", number)
            said = [line for line in server.output if "reloaded /" in line]
            self.assertTrue(said[-1].endswith("serve.toml: limits.channels"), said)
        server.configure("[")
        server.signal("HUP")
        await server.line("not reloaded: ")
        going_on = False
        for each in calls:
            await each
        self.assertEqual(ended, [])
        late = await self.client(host)
        limits = late.limits
        assert limits is not None
        self.assertEqual(limits.channels, 5)

    async def test_json_log(self) -> None:
        """Each line of the log is an object, and an orderly stop warns of nothing."""
        server = await self.configured(CONFIG + '[log]\nformat = "json"\n')
        client = await self.client(f"127.0.0.1:{server.port}")
        self.assertEqual(await within(client.rpc("echo", 1)), 1)
        server.signal("HUP")
        await server.line("serve.reloaded")
        server.signal("TERM")
        await server.ended()
        *lines, _ = server.output  # the last one says how the process ended
        events = [json.loads(line) for line in lines]
        self.assertEqual({event["level"] for event in events}, {"info"})
        self.assertEqual(
            [event["event"] for event in events if "event" in event],
            ["serve.listening", "serve.reloaded", "serve.stopping"],
        )

    async def test_systemd(self) -> None:
        """Ready when it listens, fed, told of a reload and of the end."""
        systemd = NotifySocket(self.directory)
        self.addCleanup(systemd.close)
        server = await self.configured(CONFIG, NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC="200000")
        server.signal("HUP")
        await server.line("reloaded /")
        await deferLater(reactor, 0.5)
        messages = systemd.told()
        self.assertEqual(messages[0], "READY=1")
        self.assertTrue(any(each.startswith("RELOADING=1\nMONOTONIC_USEC=") for each in messages))
        self.assertIn("READY=1\nSTATUS=running", messages)
        self.assertGreaterEqual(messages.count("WATCHDOG=1"), 3)
        server.signal("TERM")
        await server.ended()
        self.assertIn("STOPPING=1", systemd.told())

    async def test_certificate(self) -> None:
        """A certificate is renewed: who is connected stays, who comes sees the new one."""
        first, _ = self_signed("127.0.0.1").write(self.directory)
        trusted = self.directory / "first.pem"
        trusted.write_bytes(first.read_bytes())
        server = await self.configured(TLS)
        url = f"https://127.0.0.1:{server.port}"
        before = await self.client(url, tls=TLSPolicy(authorities=trusted))
        ended = Heard()
        before.on("disconnect", ended)
        (self.directory / "certificate.key").write_text("")
        server.signal("HUP")
        await server.line("not reloaded: ")
        self.assertEqual(await within(before.rpc("whoami")), CREDENTIALS)
        renewed, _ = self_signed("127.0.0.1").write(self.directory)
        server.signal("HUP")
        await server.line("the certificate")
        after = await self.client(url, tls=TLSPolicy(authorities=renewed))
        for client in (before, after):
            self.assertEqual(await within(client.rpc("whoami")), CREDENTIALS)
        self.assertEqual(ended, [])


class ActivationTests(ServeTestCase):
    """The socket is systemd's."""

    async def test_restart(self) -> None:
        """While the server restarts, who comes waits, and nobody is refused."""
        server = await self.started(Activated())

        async def token() -> int:
            url = f"http://127.0.0.1:{server.port}/socket/token?user=ada"
            response = await within(treq.get(url, persistent=False))
            await response.content()
            return response.code

        self.assertEqual(await token(), 200)
        for count in (1, 2):
            server.signal("HUP")
            await server.line("activation: the command has ended", count)
            self.assertEqual(await token(), 200)
        starts = sum("token-sockjs server on" in line for line in server.output)
        self.assertEqual(starts, 3)
