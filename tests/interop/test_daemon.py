"""``twistd tokensock`` in the background."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue

from .support import InteropTestCase, within
from .twistd import Serve, script


class DaemonTests(InteropTestCase):
    """Whoever starts a daemon hears whether it started."""

    programs = ("timeout",)

    async def test_port_in_use(self) -> None:
        """The command ends, with status 1; the log says why in one line; no pid file is left."""
        server = await self.started(Serve())
        directory = self.new_directory()
        log, pid = directory / "log", directory / "pid"
        twistd = ["12", script("twistd"), f"--pidfile={pid}", f"--logfile={log}"]
        listen = f"--listen=tcp:{server.port}:interface=127.0.0.1"
        _, err, status = await within(
            getProcessOutputAndValue(
                "timeout", [*twistd, "tokensock", "serve", listen], env=None, reactor=reactor
            )
        )
        self.assertEqual(status, 1, err)
        self.assertIn(b"Address already in use", err)
        # The daemon tells its parent first and tidies up then.
        await within(gone(pid))
        text = log.read_text()
        self.assertIn("choose another place", text)
        self.assertNotIn("Traceback", text)


async def gone(path: Path) -> None:
    """Wait until there is no such file."""
    while path.exists():
        await deferLater(reactor, 0.05, lambda: None)
