"""How the server's command ends: slowly, and at once where it is told so again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher

from txtokensock.server import TokenSocketServer

from .support import PortsReactor
from .test_serve_config import REDIS, ServeConfigTestCase

SERVER = '[server]\nlisten = "tcp:1:interface=127.0.0.1"\n'


class DrainTests(ServeConfigTestCase):
    """At SIGTERM."""

    def start(self, text: str, *arguments: str) -> Any:
        """A service that runs, with this configuration."""
        Path("serve.toml").write_text(SERVER + text)
        self.reactor = PortsReactor()
        self.turns: list[Any] = []
        self.reactor.callFromThread = self.turns.append  # type: ignore[method-assign]
        service = self.made("serve", "--config", "serve.toml", *arguments, reactor=self.reactor)
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        (self.server,) = (each for each in service if isinstance(each, TokenSocketServer))
        service.privilegedStartService()
        service.startService()
        return service

    def test_order(self) -> None:
        """While it drains it listens; then the ports are closed, and the server ends."""
        drained: Deferred[None] = Deferred()
        service = self.start("drain = 5.0\n")
        self.patch(self.server, "drain", lambda: drained)
        stop = lambda: succeed(self.reactor.stopped.append("server"))  # noqa: E731
        self.patch(self.server, "stopService", stop)
        stopped = service.stopService()
        self.assertEqual(self.reactor.stopped, [])
        drained.callback(None)
        self.assertEqual(self.reactor.stopped, [1, "server"])
        self.successResultOf(stopped)

    def test_times(self) -> None:
        """Peers of a server alone have nowhere to go; who says otherwise is believed."""
        for text, arguments, times in (
            ("", (), (0.0, 0.0)),
            (REDIS, (), (0.0, 5.0)),
            ("drain = 0\n" + REDIS, (), (0.0, 0.0)),
            ("drain = 30\ndrain_delay = 7\n", (), (7.0, 30.0)),
            ("drain = 30\n" + REDIS, ("--drain", "4.5", "--drain-delay", "1"), (1.0, 4.5)),
        ):
            Path("serve.toml").write_text(SERVER + text)
            service = self.made("serve", "--config", "serve.toml", *arguments)
            (server,) = (each for each in service if isinstance(each, TokenSocketServer))
            context = server._context
            self.assertEqual((context.drain_delay, context.drain), times)

    def test_reload(self) -> None:
        """A reload before the restart can change the times of it."""
        service = self.start("")
        Path("serve.toml").write_text(SERVER + "drain = 30\ndrain_delay = 7\n")
        self.assertTrue(service.reload())
        context = self.server._context
        self.assertEqual((context.drain_delay, context.drain), (7.0, 30.0))
        stopped = service.stopService()
        self.assertEqual(self.reactor.stopped, [])
        self.reactor.advance(7.0)
        self.assertEqual(self.reactor.stopped, [1])
        self.successResultOf(stopped)

    def test_hang_up(self) -> None:
        """SIGHUP does nothing while peers finish, and is what it was after that."""
        previous = signal.getsignal(signal.SIGHUP)
        stopped = self.start("drain_delay = 60\n").stopService()
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)
        self.reactor.advance(60)
        self.successResultOf(stopped)
        self.assertEqual(signal.getsignal(signal.SIGHUP), previous)

    def test_again(self) -> None:
        """Another signal waits for nobody, and a third is what it is for every process."""
        previous = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
        for number in (signal.SIGTERM, signal.SIGINT):
            service = self.start("drain_delay = 60\n")
            stopped = service.stopService()
            os.kill(os.getpid(), number)
            self.assertEqual(signal.getsignal(number), signal.SIG_DFL)
            self.assertNoResult(stopped)
            self.turns.pop()()
            self.successResultOf(stopped)
            self.assertEqual(
                [each["event"] for each in self.logged if "event" in each][-2:],
                ["serve.stopping", "serve.hurried"],
            )
            self.assertEqual(
                [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)], previous
            )
