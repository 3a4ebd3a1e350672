"""``tokensock`` imports what a command line needs, when it needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.cli import command_line, main

SCRIPT = """
import json, sys
from txtokensock.cli import main
statuses = []
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as ended:
        statuses.append(ended.code)
print("", json.dumps([statuses, [*sys.modules]]), file=sys.stderr)
"""


class StartTests(SynchronousTestCase):
    """In processes of their own."""

    def loaded(self, *command_lines: list[str], status: int) -> set[str]:
        """The modules and packages that a process has loaded when these have ended."""
        command = [sys.executable, "-c", SCRIPT, json.dumps(command_lines)]
        run = subprocess.run(command, capture_output=True, check=True)
        statuses, modules = json.loads(run.stderr.splitlines()[-1])
        self.assertEqual(statuses, [status] * len(command_lines), run.stderr)
        return set(modules)

    def test_shape(self) -> None:
        """Mistakes in the shape of a command line take click alone."""
        loaded = self.loaded(
            ["rpc"], ["bogus"], ["rpc", "echo", "--transport", "pigeon"], status=2
        )
        self.assertIn("click", loaded)
        self.assertEqual(loaded & {"twisted", "msgspec", "importlib.metadata"}, set())

    def test_help(self) -> None:
        """So do help and the version."""
        loaded = self.loaded(
            ["--help"], ["rpc", "--help"], ["--timeout", "1", "--version"], status=0
        )
        self.assertIn("click", loaded)
        self.assertEqual(loaded & {"twisted", "msgspec", "importlib.metadata"}, set())

    def test_version(self) -> None:
        """Alone, the version takes not even click."""
        self.assertEqual(self.loaded(["--version"], status=0) & {"click", "argparse"}, set())

    def test_values(self) -> None:
        """A value that cannot be is found without what connects."""
        loaded = self.loaded(
            ["rpc", ""],
            ["rpc", "echo", "{foo"],
            ["rpc", "echo", "--host", ":x"],
            ["rpc", "echo", "--auth", "user"],
            ["rpc", "echo", "--auth", "a=1", "--auth", "a=2"],
            ["rpc", "echo", "--timeout", "0"],
            ["rpc", "echo", "--header", "X-A"],
            ["rpc", "echo", "--header", "X A: b"],
            ["rpc", "echo", "--proxy", "ftp://proxy.test"],
            ["rpc", "echo", "--authorities", "/nonexistent"],
            ["listen", "a", ""],
            status=2,
        )
        self.assertEqual(loaded & {"twisted.internet.defer", "OpenSSL", "treq", "autobahn"}, set())

    def test_rpc(self) -> None:
        """A command loads the client, and nothing that only a server or a bridge needs."""
        # An endpoint is looked at by the client, when all of it is there.
        loaded = self.loaded(["rpc", "echo", "--endpoint", "bogus:1"], status=2)
        self.assertIn("txtokensock.client.socket", loaded)
        self.assertEqual(
            loaded
            & {
                *(f"txtokensock.{room}" for room in ("server", "bridge", "tap")),
                "txtokensock.sockjs.server",
                *("prometheus_client", "sqlite3", "tomllib", "txredisapi"),
                "importlib.metadata",
                "prompt_toolkit",
            },
            set(),
        )

    def test_doctor(self) -> None:
        """A mistake in an option is none of the way to a server."""
        self.loaded(["doctor", "--endpoint", "bogus:1"], status=2)

    def test_bridge_spool(self) -> None:
        """The command for a spool loads neither a client nor a bridge's connections."""
        loaded = self.loaded(["bridge-spool", "list", "/nonexistent"], status=1)
        self.assertIn("sqlite3", loaded)
        self.assertEqual(
            loaded & {"twisted.internet.reactor", "txtokensock.client", "treq", "autobahn"}, set()
        )

    def test_completion(self) -> None:
        """The shell gets commands and options, without what connects."""
        for words, found in (("tokensock pub", "plain,publish"), ("tokensock rpc --raw", "--raw")):
            environment = {
                **os.environ,
                "_TOKENSOCK_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(words.count(" ")),
            }
            command = [sys.executable, "-c", SCRIPT, "[[]]"]
            run = subprocess.run(command, capture_output=True, env=environment, check=True)
            self.assertIn(found, run.stdout.decode())
            self.assertNotIn('"twisted"', run.stderr.decode())

    def test_interrupted_import(self) -> None:
        """Ctrl-C while a module is imported that catches everything is not lost."""
        script = (
            "import os, signal, sys\n"
            # It is ignored where the tests themselves run in the background of a script.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from txtokensock.cli import main\n"
            "class Greedy:\n"
            "    def find_spec(self, name, *_):\n"
            "        if name == sys.argv[1]:\n"
            "            try: os.kill(os.getpid(), signal.SIGINT)\n"
            "            except BaseException: pass\n"
            "sys.meta_path.insert(0, Greedy())\n"
            "main(['listen', 'a', '--host', '127.0.0.1:9'])\n"
        )
        for module in ("click", "twisted.internet.reactor"):
            command = [sys.executable, "-c", script, module]
            run = subprocess.run(command, capture_output=True, timeout=60)
            self.assertEqual((run.returncode, run.stdout, run.stderr), (130, b"", b""), module)

    def test_interrupted(self) -> None:
        """Ctrl-C before there is a reactor ends the command without a traceback."""

        def parse(argv: list[str] | None) -> None:
            raise KeyboardInterrupt

        self.patch(command_line, "parse", parse)
        ended = self.assertRaises(SystemExit, main, ["rpc", "echo"])
        self.assertEqual(ended.code, 130)
