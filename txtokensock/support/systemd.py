"""
Notifies systemd of the state of a bridge: ``Type=notify`` and ``WatchdogSec=``.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

__all__ = ["SystemdNotifier"]


class SystemdNotifier(Service):
    """
    While it runs, the service counts as ready and the watchdog is fed.  Outside of systemd
    it does nothing.

    The watchdog is fed by the reactor that everything else runs on: a process that hangs
    is restarted.

    :param reactor: for the watchdog.
    :param environment: where systemd leaves its wishes; by default the process's.
    """

    _log = Logger()

    def __init__(
        self, reactor: IReactorTime, environment: Mapping[str, str] | None = None
    ) -> None:
        environment = os.environ if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._interval = _watchdog_interval(environment)
        self._watchdog = LoopingCall(self.notify, "WATCHDOG=1")
        self._watchdog.clock = reactor

    def startService(self) -> None:
        """Tell systemd that the service is ready, and begin to feed the watchdog."""
        super().startService()  # type: ignore[no-untyped-call]
        self.notify("READY=1")
        if self._address and self._interval is not None:
            self._watchdog.start(self._interval).addErrback(
                lambda failure: self._log.failure(
                    "the watchdog is not fed", failure, event="systemd.failed"
                )
            )

    def stopService(self) -> None:
        """Stopping; the watchdog is fed until the end, for that may take a while."""
        super().stopService()  # type: ignore[no-untyped-call]
        self.notify("STOPPING=1")

    def ended(self) -> None:
        """The end: no timer is left."""
        if self._watchdog.running:
            self._watchdog.stop()

    def reloading(self) -> None:
        """The configuration is being read again; :meth:`reloaded` follows."""
        self.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self, status: str) -> None:
        """It was read; ``status`` is shown by ``systemctl status``."""
        self.notify(f"READY=1\nSTATUS={status}")

    def notify(self, message: str) -> None:
        """Send a message to systemd; what goes wrong is logged."""
        if not self._address:
            return
        # A leading @ stands for an address in the abstract namespace.
        address: Any = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                sending.setblocking(False)
                sending.sendto(message.encode(), address)
        except OSError as problem:
            self._log.warn(
                "systemd was not told: {problem}", event="systemd.not_told", problem=problem
            )


def _watchdog_interval(environment: Mapping[str, str]) -> float | None:
    """Half of what systemd allows, in seconds; None where it does not watch us."""
    if environment.get("WATCHDOG_PID") not in (None, str(os.getpid())):
        return None
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return microseconds / 2_000_000 if microseconds > 0 else None
