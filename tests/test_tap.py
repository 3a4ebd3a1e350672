"""twistd's options become services, or one line that says what is wrong."""

from __future__ import annotations

import io
import sys
from typing import Any
from unittest import mock

from twisted.application.service import IService
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txtokensock.tap import Options, makeService


class BusyReactor(MemoryReactorClock):
    """Every port is in use."""

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        raise CannotListenError(interface, port, OSError(98, "Address already in use"))


class OptionsTests(SynchronousTestCase):
    """Parsing."""

    def exit_of(self, *arguments: str) -> tuple[int, str]:
        """The exit status and what was said, for arguments that cannot be."""
        said = io.StringIO()
        with mock.patch.object(sys, "__stderr__", said):
            ended = self.assertRaises(SystemExit, self.made, *arguments)
        return ended.code, said.getvalue()

    def made(self, *arguments: str, reactor: Any = None) -> Any:
        """The service for these arguments."""
        options = Options()
        options.parseOptions(list(arguments))
        return makeService(options, reactor or MemoryReactorClock())

    def test_default(self) -> None:
        """Without a command there is a service, and nothing listens before it starts."""
        reactor = MemoryReactorClock()
        service = self.made(reactor=reactor)
        verifyObject(IService, service)
        self.assertEqual(reactor.tcpServers, [])

    def test_default_listens_on_loopback_alone(self) -> None:
        """The embedded server is for this machine only, on the announced port."""
        reactor = MemoryReactorClock()
        service = self.made(reactor=reactor)
        with mock.patch.object(sys, "__stdout__", io.StringIO()) as said:
            service.privilegedStartService()
            service.startService()
        [(port, _, _, interface)] = reactor.tcpServers
        self.assertEqual((port, interface), (8080, "127.0.0.1"))
        for command in (
            """tokensock rpc echo '{"foo":"bar"}'""",
            "tokensock listen channel1",
            """tokensock publish channel1 '{"foo":"bar"}'""",
        ):
            self.assertIn(command + "\n", said.getvalue())
        self.successResultOf(service.stopService())
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_serve_listens_where_told(self) -> None:
        """``serve --listen`` takes any endpoint string."""
        reactor = MemoryReactorClock()
        service = self.made("serve", "--listen", "tcp:9999:interface=127.0.0.2", reactor=reactor)
        service.privilegedStartService()
        [(port, _, _, interface)] = reactor.tcpServers
        self.assertEqual((port, interface), (9999, "127.0.0.2"))

    def test_bad_options(self) -> None:
        """A mistake is one line, and exit status 2."""
        for arguments in (
            ("--bogus",),
            ("serve", "--bogus"),
            ("bogus",),
            ("serve", "--listen", "bogus:1"),
            ("serve", "--listen", "tcp:bogus"),
            ("serve", "--listen", ""),
            ("serve", "--listen"),
            ("serve", "extra"),
        ):
            status, said = self.exit_of(*arguments)
            self.assertEqual(status, 2, arguments)
            self.assertTrue(said.startswith("twistd tokensock: "), said)
            self.assertEqual(said.count("\n"), 1, said)

    def test_port_in_use(self) -> None:
        """A port in use is one line that says what to do, and exit status 1."""
        service = self.made(reactor=BusyReactor())
        said = io.StringIO()
        with mock.patch.object(sys, "__stderr__", said):
            ended = self.assertRaises(SystemExit, service.privilegedStartService)
        self.assertEqual(ended.code, 1)
        self.assertEqual(said.getvalue().count("\n"), 1)
        self.assertIn("8080", said.getvalue())
        self.assertIn("already in use", said.getvalue())
        self.assertIn("--listen", said.getvalue())


class PluginTests(SynchronousTestCase):
    """twistd finds us."""

    def test_plugin(self) -> None:
        """There is one plugin, and it makes our service."""
        from twisted.application.service import IServiceMaker

        makers = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "tokensock"]
        self.assertEqual([maker.module for maker in makers], ["txtokensock.tap"])
        verifyObject(IPlugin, makers[0])
        self.assertIs(makers[0].options, Options)
