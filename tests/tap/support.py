"""What the tests of ``twistd tokensock`` share: reactors, and services made of arguments."""

from __future__ import annotations

import io
import sys
from typing import Any
from unittest import mock

from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.tap import Options, makeService


class BusyReactor(MemoryReactorClock):
    """Every port is in use."""

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        raise CannotListenError(interface, port, OSError(98, "Address already in use"))


class PortsReactor(MemoryReactorClock):
    """
    :ivar stopped: the numbers of the ports that were closed, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stopped: list[Any] = []

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        listening = super().listenTCP(port, factory, backlog, interface)
        listening.stopListening = lambda: self.stopped.append(port)
        return listening


class MakingTestCase(SynchronousTestCase):
    """Makes services of arguments."""

    def exit_of(self, *arguments: str, reactor: Any = None) -> tuple[int, str]:
        """The exit status and what was said, for arguments that cannot be."""
        said = io.StringIO()
        with mock.patch.object(sys, "__stderr__", said):
            ended = self.assertRaises(SystemExit, self.made, *arguments, reactor=reactor)
        return ended.code, said.getvalue()

    def made(self, *arguments: str, reactor: Any = None) -> Any:
        """The service for these arguments."""
        options = Options()
        options.parseOptions(list(arguments))
        return makeService(options, reactor or MemoryReactorClock())
