"""What systemd is told."""

from __future__ import annotations

import os
import socket
import tempfile

from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.systemd import SystemdNotifier


class SystemdTests(SynchronousTestCase):
    """With a socket in systemd's place."""

    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-notify-")
        self.addCleanup(directory.cleanup)
        self.address = f"{directory.name}/notify"
        self.receiving = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.receiving.close)
        self.receiving.setblocking(False)

    def received(self) -> list[str]:
        """What has come."""
        messages = []
        while True:
            try:
                messages.append(self.receiving.recv(4096).decode())
            except BlockingIOError:
                return messages

    def notifier(self, clock: Clock, **environment: str) -> SystemdNotifier:
        """One that was started."""
        notifier = SystemdNotifier(clock, environment)
        notifier.startService()
        return notifier

    def test_systemd_that_does_not_read(self) -> None:
        """When its queue is full, nobody waits for it: the log says so."""
        self.receiving.bind(self.address)
        log = EventLoggingObserver()
        globalLogPublisher.addObserver(log)
        self.addCleanup(globalLogPublisher.removeObserver, log)
        notifier = self.notifier(Clock(), NOTIFY_SOCKET=self.address)
        while not log:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filling:
                filling.setblocking(False)
                try:
                    filling.sendto(b"x", self.address)
                except BlockingIOError:
                    notifier.notify("WATCHDOG=1")
        (event,) = log
        self.assertIsInstance(event["problem"], BlockingIOError)

    def test_watchdog(self) -> None:
        """It is fed twice as often as it must be, to the end of the end."""
        self.receiving.bind(self.address)
        clock = Clock()
        notifier = self.notifier(
            clock,
            NOTIFY_SOCKET=self.address,
            WATCHDOG_USEC="10000000",
            WATCHDOG_PID=str(os.getpid()),
        )
        self.assertEqual(self.received(), ["READY=1", "WATCHDOG=1"])
        clock.advance(4.9)
        self.assertEqual(self.received(), [])
        clock.advance(0.2)
        self.assertEqual(self.received(), ["WATCHDOG=1"])
        notifier.stopService()
        clock.advance(5)
        self.assertEqual(self.received(), ["STOPPING=1", "WATCHDOG=1"])
        notifier.ended()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_abstract(self) -> None:
        """A leading @ is an address without a file."""
        name = f"txtokensock-test-{os.getpid()}"
        self.receiving.bind(f"\0{name}")
        self.notifier(Clock(), NOTIFY_SOCKET=f"@{name}")
        self.assertEqual(self.received(), ["READY=1"])

    def test_not_for_us(self) -> None:
        """Without systemd, with another's watchdog, or nonsense, nothing is fed."""
        self.receiving.bind(self.address)
        for environment in (
            {},
            {"WATCHDOG_USEC": "1000000"},
            {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
            {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": "x"},
            {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": "0"},
        ):
            clock = Clock()
            self.notifier(clock, **environment)
            self.assertEqual(clock.getDelayedCalls(), [])

    def test_nobody_listens(self) -> None:
        """It is logged, and no more."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.notifier(Clock(), NOTIFY_SOCKET=self.address)
        self.assertEqual(len(logged), 1)
