"""SIGHUP for the server's command."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import LogLevel, globalLogPublisher

from tests.kit.certificates import self_signed
from tests.kit.site_client import Connection
from txtokensock.config.log import LEVEL
from txtokensock.server import Limits, TokenSocketServer

from .test_serve_config import ADMIN, REDIS, TLS, ServeConfigTestCase

CONFIG = TLS + 'listen = "tcp:1:interface=127.0.0.1"\n'


class ReloadTests(ServeConfigTestCase):
    """Another file, while it runs."""

    def start(self, text: str = CONFIG) -> Any:
        """A service that runs, with this configuration."""
        self.file = Path("serve.toml").absolute()
        self.file.write_text(text)
        self.reactor = MemoryReactorClock()
        service = self.made("serve", "--config", "serve.toml", reactor=self.reactor)
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        service.privilegedStartService()
        service.startService()
        self.addCleanup(lambda: self.successResultOf(service.stopService()))
        (self.server,) = (each for each in service if isinstance(each, TokenSocketServer))
        return service

    def said(self, event: str, field: str) -> list[Any]:
        """A field of the log's events of that name."""
        return [each[field] for each in self.logged if each.get("event") == f"serve.{event}"]

    def limits(self) -> Limits:
        """Of peers that come now."""
        return self.server._context.limits

    def test_taken(self) -> None:
        """What can change does, and it is said what did, and what takes a restart."""
        service = self.start()
        self.file.write_text(
            CONFIG.replace("tcp:1:", "tcp:2:").replace(
                "[tls]", 'allowed_hosts = ["a.test"]\n[tls]'
            )
            + "[limits]\nchannels = 5\n[sockjs]\nheartbeat = 9\n"
            + REDIS
        )
        for taken in (
            "server.allowed_hosts, limits.channels, sockjs.heartbeat",
            "nothing that can change has changed",
        ):
            self.assertTrue(service.reload())
            self.assertEqual(self.said("reloaded", "taken")[-1], taken)
            # It is said again until somebody does it.
            self.assertEqual(self.said("needs_restart", "changed")[-2:], ["tls.listen", "redis"])
        self.assertEqual(self.limits().channels, 5)

    def test_refused(self) -> None:
        """A bad file, or a bad certificate, changes nothing, and is shown until it is good."""
        service = self.start(CONFIG + ADMIN + 'listen = "tcp:3:interface=127.0.0.1"\n')
        good = self.file.read_text()
        certificate = Path("a.pem").read_bytes()

        def ready() -> Any:
            site = SimpleNamespace(clock=self.reactor, site=self.reactor.tcpServers[-1][1])
            return json.loads(Connection(site, "127.0.0.1").request("GET", "/readyz").body)

        for text, pem, reason in (
            ("[", certificate, "is not valid TOML"),
            (good + "[limits]\nchannels = 5\ncalls = 0\n", certificate, ":10: limits.calls: is 0"),
            (good + "[limits]\nchannels = 5\n", b"", ":3: tls: certificate: the file a.pem holds"),
        ):
            self.file.write_text(text)
            Path("a.pem").write_bytes(pem)
            self.assertFalse(service.reload(), text)
            self.assertIn(reason, self.said("not_reloaded", "problem")[-1])
            self.assertEqual(self.limits().channels, Limits().channels)
            state = ready()["configuration"]
            self.assertEqual(state["state"], "refused")
            self.assertIn(reason, state["reason"])
        Path("a.pem").write_bytes(certificate)
        self.assertTrue(service.reload())
        self.assertNotIn("configuration", ready())

    def test_certificate(self) -> None:
        """A renewed one is shown to who connects from then on."""
        service = self.start()
        parts = service._parts
        before = parts.certificate.getContext()
        self.assertTrue(service.reload())
        self.assertEqual(self.said("reloaded", "taken"), ["nothing that can change has changed"])
        certificate, key = self_signed("c.test").write(Path(), "c")
        Path("a.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
        self.assertTrue(service.reload())
        self.assertEqual(self.said("reloaded", "taken")[-1], "the certificate")
        self.assertIsNot(parts.certificate.getContext(), before)

    def test_level_of_the_log(self) -> None:
        """It is that of the file, from the start and from each reload on."""
        self.addCleanup(LEVEL.clearLogLevels)
        service = self.start(CONFIG + '[log]\nlevel = "debug"\n')
        self.assertIs(LEVEL.logLevelForNamespace("a.b"), LogLevel.debug)
        self.file.write_text(CONFIG + '[log]\nlevel = "error"\n')
        self.assertTrue(service.reload())
        self.assertIs(LEVEL.logLevelForNamespace("a.b"), LogLevel.error)
        self.assertEqual(self.said("reloaded", "taken"), ["log.level"])

    def test_code_is_not_loaded_again(self) -> None:
        """A reload runs nothing of the application's; another function takes a restart."""
        demo = 'actions = "txtokensock.server.demo:ACTIONS"\n'
        service = self.start('[server]\nauthentication = "demo"\n' + demo)
        self.file.write_text('[server]\nauthentication = "demo"\nactions = "no_such:x"\n')
        self.assertTrue(service.reload())
        self.assertEqual(self.said("needs_restart", "changed"), ["server.actions"])

    def test_limits_for(self) -> None:
        """Tables of limits by identity change; a function stays until the restart."""
        service = self.start()
        table = "[[server.limits_for]]\nidentity = { a = 1 }\nlimits = { channels = 3 }\n"
        self.file.write_text(CONFIG + table)
        self.assertTrue(service.reload())
        self.assertEqual(self.server._context.limits_of({"a": 1}).channels, 3)
        self.file.write_text(CONFIG.replace("[tls]", 'limits_for = "m:f"\n[tls]'))
        self.assertTrue(service.reload())
        self.assertEqual(self.said("needs_restart", "changed"), ["server.limits_for"])
        self.assertEqual(self.server._context.limits_of({"a": 1}).channels, 3)

    def test_key_of_the_pages(self) -> None:
        """It is read again; it does not go while the address is one that needs it."""
        Path("key").write_text("one\n")
        admin = ADMIN + 'listen = "tcp:3"\nkey = { file = "key" }\n'
        service = self.start(CONFIG + admin)
        pages = service._parts.pages
        self.assertEqual(pages.key, "one")
        Path("key").write_text("two\n")
        self.assertTrue(service.reload())
        self.assertEqual(pages.key, "two")
        self.file.write_text(CONFIG + ADMIN + 'listen = "tcp:3:interface=127.0.0.1"\n')
        self.assertTrue(service.reload())
        self.assertEqual(pages.key, "two")

    def test_signal(self) -> None:
        """SIGHUP reloads in a turn of the reactor, and no longer after the end."""
        previous = signal.getsignal(signal.SIGHUP)
        service = self.start()
        turns: list[Any] = []
        self.reactor.callFromThread = turns.append  # type: ignore[method-assign]
        os.kill(os.getpid(), signal.SIGHUP)
        turns.pop()()
        self.assertEqual(len(self.said("reloaded", "taken")), 1)
        self.successResultOf(service.stopService())
        self.assertEqual(signal.getsignal(signal.SIGHUP), previous)
        self.assertFalse(service.reload())

    def test_signal_during_the_start(self) -> None:
        """SIGHUP is obeyed before anybody can see that the server has started."""
        service = self.made("serve", reactor=MemoryReactorClock())
        handlers: list[Any] = []
        for each in service:
            each.startService = lambda: handlers.append(signal.getsignal(signal.SIGHUP))
        previous = signal.getsignal(signal.SIGHUP)
        with mock.patch.object(sys, "__stdout__", io.StringIO()):
            service.startService()
        self.addCleanup(service._reloading.end)
        self.assertTrue(handlers)
        self.assertNotIn(previous, handlers)

    def test_without_a_file(self) -> None:
        """SIGHUP ends nobody: the options are those that they were."""
        service = self.made("serve", reactor=MemoryReactorClock())
        service.privilegedStartService()
        service.startService()
        self.assertTrue(service.reload())
        self.successResultOf(service.stopService())
