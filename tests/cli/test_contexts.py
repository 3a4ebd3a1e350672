"""Options of the command from the environment and from contexts, and where secrets are."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.cli import main

from .test_command_line import parsed


class SourcesTests(SynchronousTestCase):
    """Where options come from, and what goes first."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-")
        self.addCleanup(directory.cleanup)
        self.home = Path(directory.name)
        self.file = self.home / "tokensock" / "contexts.json"
        self.secrets = self.home / "secrets.json"
        self.secrets.write_text('{"user":"ada","key":"s3cret","n":{"a":1}}')
        self.environment(XDG_CONFIG_HOME=directory.name)

    def environment(self, **variables: str) -> None:
        for name, value in variables.items():
            self.addCleanup(os.environ.pop, name, None)
            os.environ[name] = value

    def run_command(self, *arguments: str) -> tuple[list[Any], str, object]:
        """The lines of JSON, what was said, and the exit status."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            ended = self.assertRaises(SystemExit, main, list(arguments))
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        return lines, err.getvalue(), ended.code

    def add(self, *arguments: str) -> None:
        self.assertEqual(self.run_command("context", "add", *arguments), ([], "", 0))

    def test_environment(self) -> None:
        """Every option can be there: words where there may be several, lines where they hold
        blanks."""
        self.environment(
            TOKENSOCK_HOST="a b:81",
            TOKENSOCK_AUTH="user=ada lovelace\nkey=1",
            TOKENSOCK_HEADER="X-A: 1 2\nX-B: 3",
            TOKENSOCK_TIMEOUT="3",
            TOKENSOCK_VERBOSE="1",
            TOKENSOCK_TOKEN_PATH="t",
            TOKENSOCK_SOCKET_PREFIX="/s/",
        )
        settings, _ = parsed("rpc", "f")
        self.assertEqual(settings.hosts, ["a", "b:81"])
        self.assertEqual(settings.credentials, {"user": "ada lovelace", "key": "1"})
        self.assertEqual((settings.timeout, settings.verbose, settings.quiet), (3, True, False))
        options = settings.options
        self.assertEqual(options["headers"], {"X-A": "1 2", "X-B": "3"})
        self.assertEqual((options["token_path"], options["socket_prefix"]), ("/t", "/s"))
        self.assertEqual(parsed("rpc", "f", "--host", "c")[0].hosts, ["c"])
        self.assertEqual(parsed("--host", "c", "rpc", "f")[0].hosts, ["c"])

    def test_mistakes_in_the_environment(self) -> None:
        """They are mistakes as on the command line."""
        self.environment(TOKENSOCK_TIMEOUT="soon")
        self.assertEqual(self.run_command("rpc", "f")[2], 2)

    def test_context(self) -> None:
        """It has what neither the command line nor the environment has, wherever it is named."""
        self.add(
            *("prod", "--host", "https://a", "--auth-file", str(self.secrets), "--timeout", "3"),
            *("--header", "X-A: 1", "--proxy", "none", "--transport", "xhr-polling", "-q"),
        )
        for arguments in (["--context", "prod", "rpc", "f"], ["rpc", "f", "--context", "prod"]):
            settings, _ = parsed(*arguments)
            self.assertEqual((settings.hosts, settings.timeout), (["https://a"], 3))
            self.assertEqual(settings.credentials["key"], "s3cret")
            self.assertTrue(settings.quiet)
            options = settings.options
            self.assertEqual((options["headers"], options["proxy"]), ({"X-A": "1"}, False))
            self.assertEqual(options["transports"], ["xhr-polling"])
        self.environment(TOKENSOCK_CONTEXT="prod", TOKENSOCK_HOST="b")
        settings, _ = parsed("rpc", "f", "--timeout", "4")
        self.assertEqual((settings.hosts, settings.timeout), (["b"], 4))

    def test_file(self) -> None:
        """Only its owner reads it; names of files in it are whole; the environment is not."""
        self.environment(TOKENSOCK_HOST="other")
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.home)
        self.add("prod", "--auth-file", "secrets.json")
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        kept = json.loads(self.file.read_bytes())
        self.assertEqual(kept, {"prod": {"auth_file": os.path.join(os.getcwd(), "secrets.json")}})

    def test_list_and_remove(self) -> None:
        """What is listed has no secret; what is removed is gone."""
        self.add("a", "--host", "x", "--auth", "key=s3cret")
        self.add("b")
        out, _, _ = self.run_command("context", "list")
        self.assertEqual(out, [{"name": "a", "host": ["x"]}, {"name": "b", "host": []}])
        self.assertEqual(self.run_command("context", "remove", "a")[2], 0)
        self.assertEqual(len(self.run_command("context", "list")[0]), 1)
        _, said, status = self.run_command("context", "remove", "a")
        self.assertEqual((said, status), ("tokensock: there is no context 'a' (known: b)\n", 1))
        self.assertEqual(self.run_command("rpc", "f", "--context", "a")[2], 2)

    def test_damaged(self) -> None:
        """A file that somebody broke is one line, which shows nothing of it."""
        self.file.parent.mkdir()
        for text in ("s3cret", '["s3cret"]', '{"a":{"host":"s3cret"}}', '{"a":{"timeout":"s3"}}'):
            self.file.write_text(text)
            for arguments, expected in ((["context", "list"], 1), (["rpc", "f"], 2)):
                _, said, status = self.run_command(*arguments, *["--context=a"] * (expected - 1))
                self.assertEqual((status, said.count("\n")), (expected, 1))
                self.assertNotIn("s3", said)

    def test_auth_file(self) -> None:
        """It has JSON; an option goes over it; what it may not hold is not shown."""
        settings, _ = parsed("rpc", "f", "--auth-file", str(self.secrets), "--auth", "user=eve")
        self.assertEqual(settings.credentials, {"user": "eve", "key": "s3cret", "n": {"a": 1}})
        self.assertNotIn("s3cret", repr(settings))
        for text in ("s3cret", '["s3cret"]', '{"a":"s3cret'):
            self.secrets.write_text(text)
            _, said, status = self.run_command("rpc", "f", "--auth-file", str(self.secrets))
            self.assertEqual((status, said.count("\n")), (2, 1))
            self.assertNotIn("s3cret", said)
