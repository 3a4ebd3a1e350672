"""The command line of ``tokensock``: what is refused before anything is connected."""

from __future__ import annotations

import contextlib
import io
import sys
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtokensock import TLSPolicy
from txtokensock.cli import main
from txtokensock.cli.client_options import Settings, in_our_words
from txtokensock.cli.command_line import parse


def parsed(*arguments: str) -> tuple[Settings, dict[str, Any]]:
    """How a command would talk to its server, and the arguments of the command."""
    run = parse(list(arguments))
    assert isinstance(run, partial)
    settings, conversation = run.args
    return settings, conversation.keywords


class CommandLineTests(SynchronousTestCase):
    """Mistakes."""

    def outcome(self, *arguments: str) -> tuple[str, str, object]:
        """What is printed and said, and the exit status, without a reactor."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            ended = self.assertRaises(SystemExit, main, list(arguments))
        return out.getvalue(), err.getvalue(), ended.code

    def test_mistakes(self) -> None:
        """A mistake is one line on stderr, and exit status 2."""
        for arguments in (
            [],
            ["rpc"],
            ["rpc", ""],
            ["rpc", "auth"],
            ["rpc", "echo", "{foo"],
            ["rpc", "echo", ""],
            ["rpc", "echo", "NaN"],
            ["rpc", "echo", "1", "2"],
            ["rpc", "echo", "--timeout", "0"],
            ["rpc", "echo", "--timeout", "nan"],
            ["rpc", "echo", "--auth", "user"],
            ["rpc", "echo", "--auth", "a=1", "--auth", "a=2"],
            ["--auth", "a=1", "rpc", "echo", "--auth", "a.b=2"],
            ["rpc", "echo", "--auth", "a..b=1"],
            ["publish", "channel1"],
            ["publish", "", "1"],
            ["publish", "___all___", "1"],
            ["listen"],
            ["listen", "a", ""],
            ["broadcast"],
            ["reply", "a..b", "--", sys.executable],
            ["reply", "a.b", "--", "/nonexistent"],
            ["--host", "a", "--host", "http://a", "rpc", "echo"],
            ["bogus"],
            ["--bogus"],
            ["rpc", "echo", "--transport", "pigeon"],
            ["rpc", "echo", "--header", "X-A"],
            ["rpc", "echo", "--header", "X A: b"],
            ["rpc", "echo", "--proxy", "ftp://proxy.test"],
            ["rpc", "echo", "--authorities", "/nonexistent"],
            ["rpc", "echo", "--private-key", "/nonexistent"],
            ["rpc", "echo", "--server-name", "a b"],
            *(["rpc", "echo", "--host", host] for host in (":x", "ftp://a", "", "a b", "a:99999")),
        ):
            out, err, status = self.outcome(*arguments)
            self.assertEqual((out, status, err.count("\n")), ("", 2, 1), (arguments, err))
            self.assertTrue(err.startswith("tokensock: "), err)

    def test_options_stand_anywhere(self) -> None:
        """Before the command, behind it, and between its arguments."""
        for arguments in (
            ["--auth", "a=1", "rpc", "echo", "1"],
            ["rpc", "--auth", "a=1", "echo", "1"],
            ["rpc", "echo", "--auth", "a=1", "1"],
            ["rpc", "echo", "1", "--auth", "a=1"],
        ):
            settings, given = parsed(*arguments)
            self.assertEqual((settings.credentials, given["data"]), ({"a": "1"}, 1), arguments)

    def test_negative_numbers(self) -> None:
        """They are data, and no options."""
        for text, number in (("-5", -5), ("-0.5e-3", -0.0005)):
            self.assertEqual(parsed("rpc", "f", text)[1]["data"], number)
            self.assertEqual(parsed("publish", "a", text, "--timeout", "1")[1]["data"], number)
        _, err, status = self.outcome("rpc", "f", "-x")
        self.assertEqual((status, "No such option" in err), (2, True), err)

    def test_reply(self) -> None:
        """A name may nest, and the program has its options for itself."""
        _, given = parsed("reply", "a.b", "--jobs", "2", "--", sys.executable, "--jobs", "3")
        command = (sys.executable, "--jobs", "3")
        self.assertEqual(given, {"name": "a.b", "command": command, "jobs": 2, "seconds": 60.0})

    def test_how_the_server_is_reached(self) -> None:
        """The client's options; what is not given is left to it."""
        self.assertEqual(list(parsed("rpc", "echo")[0].options), ["timeouts"])
        settings, _ = parsed(
            *("rpc", "echo", "--transport", "xhr-streaming", "--transport", "xhr-polling"),
            *("--header", "X-A: b:c", "--header", "X-D:e", "--proxy", "proxy.test:3128"),
            *("--endpoint", "unix:/run/app.sock", "--server-name", "app.test"),
        )
        self.assertIsInstance(settings.options.pop("tls"), TLSPolicy)
        # Another transport must have its turn before the command is over.
        self.assertLess(settings.options.pop("timeouts").handshake * 2, settings.timeout)
        self.assertEqual(
            settings.options,
            {
                "transports": ("xhr-streaming", "xhr-polling"),
                "headers": {"X-A": "b:c", "X-D": "e"},
                "proxy": "proxy.test:3128",
                "endpoint": "unix:/run/app.sock",
            },
        )
        self.assertIs(parsed("rpc", "echo", "--proxy", "none")[0].options["proxy"], False)

    def test_hosts(self) -> None:
        """They add up, and those behind the name replace those before it."""
        for arguments, hosts in (
            (["rpc", "f"], ["127.0.0.1:8080"]),
            (["--host", "a", "rpc", "f"], ["a"]),
            (["rpc", "f", "--host", "a", "--host=b"], ["a", "b"]),
            (["--host", "a", "--host", "b", "rpc", "f", "--host", "c"], ["c"]),
        ):
            self.assertEqual(parsed(*arguments)[0].hosts, hosts)

    def test_no_password_is_repeated(self) -> None:
        """An address with a password is refused, without showing it."""
        for option, url in (
            ("--host", "http://ada:secret@example.com"),
            ("--proxy", "ftp://ada:secret@example.com"),
            ("--proxy", "http://ada:sec#ret@example.com"),
        ):
            _, err, status = self.outcome("rpc", "echo", option, url)
            self.assertEqual(status, 2)
            self.assertNotIn("secret", err)
            self.assertNotIn("sec#", err)

    def test_options_have_the_names_of_the_command(self) -> None:
        """Errors speak of its options, not of Python's."""
        for theirs, ours in (
            ("self-signed; tls=TLSPolicy(authorities=...) allows it", "--authorities"),
            ("another; tls=TLSPolicy(server_name=...) asks", "--server-name"),
            ("give it; tls=TLSPolicy(certificate=..., private_key=...) shows", "--certificate"),
        ):
            text = in_our_words(theirs)
            self.assertIn(ours, text)
            self.assertNotIn("TLSPolicy", text)

    def test_no_credential_is_repeated(self) -> None:
        """A credential that cannot be is refused, without showing its value."""
        _, err, status = self.outcome(
            "rpc", "echo", "--auth", "key=secret", "--auth", "key=secret"
        )
        self.assertEqual(status, 2)
        self.assertNotIn("secret", err)

    def test_no_text(self) -> None:
        """Bytes that are no UTF-8, and numbers of any length, are mistakes like any other."""
        for arguments in (
            ["rpc", "\udcff"],
            ["rpc", "echo", '"\udcff"'],
            ["publish", "\udcff", "1"],
            ["listen", "\udcff"],
            ["rpc", "echo", "--auth", "user=s3cret\udcff"],
            ["rpc", "echo", "--auth", "\udcff=s3cret"],
            ["rpc", "echo", "--host", "\udcff"],
            ["rpc", "echo", "--host", f"a:{'9' * 5000}"],
            ["rpc", "echo", "[" * 100_000],
        ):
            out, err, status = self.outcome(*arguments)
            self.assertEqual((out, status, err.count("\n")), ("", 2, 1), (arguments, err))
            self.assertTrue(err.startswith("tokensock: "), err)
            self.assertNotIn("s3cret", err)
            self.assertLess(len(err), 6000)

    def test_help(self) -> None:
        """Every command has its help, with status 0."""
        for arguments in (
            ["--help"],
            *([name, "--help"] for name in ("rpc", "listen", "publish")),
        ):
            out, err, status = self.outcome(*arguments)
            self.assertEqual((err, status), ("", 0))
            self.assertIn("--host", out)
