"""What is written to the log."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.logger import Logger, LogPublisher
from twisted.scripts.twistd import ServerOptions

from txtokensock.config.log import LEVEL, LogConfig, in_force

from .support import MakingTestCase


class LogTests(MakingTestCase):
    """``[log]`` under twistd."""

    def setUp(self) -> None:
        self.addCleanup(LogConfig().apply)

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

    def test_json(self) -> None:
        """What is written is JSON from then on, and text again."""
        with mock.patch.object(sys, "stdout", io.StringIO()) as said:
            make = self.logger("-n")
            LogConfig(format="json").apply()
            self.say_all(make)
            lines = [json.loads(line) for line in said.getvalue().splitlines()]
            LogConfig().apply()
            said.truncate(0)
            said.seek(0)
            self.say_all(make)
        self.assertEqual(
            [(line["level"], line["text"]) for line in lines],
            [(name, f"this is {name}") for name in ("info", "warn", "error", "critical")],
        )
        self.assertIn("[here#info] this is info\n", said.getvalue())

    def test_options(self) -> None:
        """Both commands have options for it, which go before what the file says."""
        with tempfile.TemporaryDirectory() as directory:
            for command, more in (("serve", ""), ("bridge", '[upstream]\nhost = "127.0.0.1"\n')):
                path = Path(directory) / f"{command}.toml"
                path.write_text(f'{more}[log]\nlevel = "debug"\n')
                arguments = (command, "--config", str(path), "--log-format", "json")
                self.made(*arguments, "--log-level", "error")
                self.assertEqual(in_force(), LogConfig("error", "json"))
                service = self.made(*arguments)
                self.assertEqual(in_force(), LogConfig("debug", "json"))
                service.privilegedStartService()
                service.startService()
                path.write_text(f'{more}[log]\nlevel = "warn"\nformat = "text"\n')
                self.assertTrue(service.reload())
                self.assertEqual(in_force(), LogConfig("warn", "json"))
                self.successResultOf(service.stopService())
                for option in ("--log-level", "--log-format"):
                    status, said = self.exit_of(command, "--config", str(path), option, "all")
                    self.assertEqual((status, said.count("\n")), (2, 1))
                    self.assertIn(f"{option}: ", said)

    def test_others(self) -> None:
        """Who has a log of their own keeps it."""
        self.assertFalse(self.logger("--syslog"))
        self.assertIs(self.logger("--logger", "txtokensock.config.log.LEVEL"), LEVEL)
