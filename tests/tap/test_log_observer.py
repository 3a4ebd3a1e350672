"""What is written to the log."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.logger import Logger, LogPublisher
from twisted.scripts.twistd import ServerOptions

from txtokensock.config.log import LEVEL, LogConfig

from .support import MakingTestCase


class LogTests(MakingTestCase):
    """``[log]`` under twistd."""

    def setUp(self) -> None:
        self.addCleanup(LEVEL.clearLogLevels)

    def logger(self, *arguments: str) -> Any:
        """What twistd makes its log with."""
        options = ServerOptions()
        options.parseOptions([*arguments, "tokensock", "serve"])
        return options["logger"]

    def say_all(self, make: Any) -> None:
        """One event of each level."""
        log = Logger("here", observer=LogPublisher(make()))
        for level in ("debug", "info", "warn", "error", "critical"):
            getattr(log, level)("this is {name}", name=level)

    def test_levels(self) -> None:
        """Events of the level and above are written, by another level from then on."""
        with mock.patch.object(sys, "stdout", io.StringIO()) as said:
            make = self.logger("-n")
            for level, count in (("info", 4), ("error", 2), ("debug", 5)):
                LogConfig(level=level).apply()  # type: ignore[arg-type]
                said.truncate(0)
                self.say_all(make)
                self.assertEqual(said.getvalue().count("this is "), count)

    def test_file(self) -> None:
        """So it is in a file."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "log"
            LogConfig(level="warn").apply()
            self.say_all(self.logger("--logfile", str(path)))
            self.assertEqual(path.read_text().count("this is "), 3)

    def test_others(self) -> None:
        """Who has a log of their own keeps it."""
        self.assertFalse(self.logger("--syslog"))
        self.assertIs(self.logger("--logger", "txtokensock.config.log.LEVEL"), LEVEL)
