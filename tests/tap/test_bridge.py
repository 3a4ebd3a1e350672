"""``twistd tokensock bridge``: its options."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from unittest import mock

from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from zope.interface.verify import verifyObject

from .support import BusyReactor, MakingTestCase


class BridgeTests(MakingTestCase):
    """A service, or lines that say what is wrong."""

    GOOD = '[upstream]\nhost = "127.0.0.1"\n[http]\nlisten = "tcp:8090:interface=127.0.0.1"\n'
    GOOD += 'authentication = "none"\n'

    def config(self, text: str) -> str:
        """A file with that text."""
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-options-")
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "bridge.toml"
        path.write_text(text)
        return str(path)

    def test_good(self) -> None:
        """A service that listens where the file says, and not before it starts."""
        reactor = MemoryReactorClock()
        service = self.made("bridge", "--config", self.config(self.GOOD), reactor=reactor)
        verifyObject(IService, service)
        self.assertEqual((reactor.tcpServers, reactor.getDelayedCalls()), ([], []))
        service.privilegedStartService()
        [(port, _, _, interface)] = reactor.tcpServers
        self.assertEqual((port, interface), (8090, "127.0.0.1"))

    def test_bad(self) -> None:
        """A line for each mistake, exit status 2, and nothing is started."""
        path = self.config(
            '[upstream]\nhost = 5\n[http]\nauthentication = "none"\n'
            'body_limit = 0\nlisten = "tcp:1"\n'
        )
        for more in ((), ("--check",)):
            reactor = MemoryReactorClock()
            status, said = self.exit_of("bridge", "--config", path, *more, reactor=reactor)
            self.assertEqual(status, 2)
            self.assertEqual(
                [line.split(": ")[:3] for line in said.splitlines()],
                [
                    ["twistd tokensock", f"{path}:{line}", option]
                    for line, option in (
                        *((2, "upstream.host"), (6, "http.listen")),
                        (5, "http.body_limit"),
                    )
                ],
            )
            self.assertEqual((reactor.tcpServers, reactor.getDelayedCalls()), ([], []))

    def test_no_file(self) -> None:
        """It is named as it was given, and once."""
        status, said = self.exit_of("bridge", "--config", "none.toml")
        self.assertEqual(
            (status, said), (2, "twistd tokensock: none.toml: No such file or directory\n")
        )

    def test_check(self) -> None:
        """``--check`` only says that it is good."""
        path = self.config(self.GOOD)
        with mock.patch.object(sys, "__stdout__", io.StringIO()) as said:
            self.assertEqual(self.exit_of("bridge", "--check", "--config", path), (0, ""))
        self.assertEqual(said.getvalue(), f"{path}: good\n")

    def test_check_old_options(self) -> None:
        """``--check`` tells of what works in this release for the last time."""
        path = self.config(
            self.GOOD + '[wamp]\nurl = "ws://h/ws"\nrealm = "r"\nlongest_delay = 5\n'
        )
        with mock.patch.object(sys, "__stdout__", io.StringIO()):
            status, said = self.exit_of("bridge", "--check", "--config", path)
        self.assertEqual((status, said.count("\n")), (0, 1))
        self.assertIn(f"{path}:9: wamp.longest_delay: is deprecated", said)

    def test_no_config(self) -> None:
        """It is said which option is missing."""
        status, said = self.exit_of("bridge")
        self.assertEqual((status, said.count("\n")), (2, 1))
        self.assertIn("bridge needs --config", said)

    def test_not_installed(self) -> None:
        """What is missing is named, with the way to install it."""
        with mock.patch("txtokensock.tap.bridge.find_spec", return_value=None):
            status, said = self.exit_of("bridge", "--config", self.config(self.GOOD))
        self.assertEqual((status, said.count("\n")), (2, 1))
        self.assertIn("bridge needs prometheus_client: pip install 'txtokensock[bridge]'", said)

    def test_bridge_port_in_use(self) -> None:
        """One line, and exit status 1."""
        service = self.made("bridge", "--config", self.config(self.GOOD), reactor=BusyReactor())
        with mock.patch.object(sys, "__stderr__", io.StringIO()) as said:
            ended = self.assertRaises(SystemExit, service.privilegedStartService)
        self.assertEqual((ended.code, said.getvalue().count("\n")), (1, 1))
        self.assertIn("cannot listen on tcp:8090:interface=127.0.0.1: Address", said.getvalue())
