"""``twistd tokensock`` and ``tokensock``, as processes, against each other."""

from __future__ import annotations

import json
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from tests.kit.processes import EVENT_SECONDS, Program

from .support import InteropTestCase, within
from .twistd import Serve, script


class Listener(Program):
    """``tokensock listen``; its messages are the lines of JSON in ``output``."""

    name = "tokensock listen"

    def __init__(self, port: int, *channels: str) -> None:
        super().__init__()
        self._command = ["listen", f"--host=127.0.0.1:{port}", *channels]

    def command(self) -> list[str]:
        return [script("tokensock"), *self._command]

    def is_ready(self, line: str) -> bool:
        return line.startswith("tokensock: listening to ")

    def messages(self) -> list[Any]:
        """What it printed for programs."""
        return [json.loads(line) for line in self.output if line.startswith("{")]

    async def interrupt(self) -> str:
        """Ctrl-C; how it ended."""
        self.signal("INT")
        return await self.ended()


class CommandTests(InteropTestCase):
    """What the README shows, and what can go wrong on a command line."""

    programs = ()

    async def setUp(self) -> None:
        await super().setUp()
        self.server = await self.started(Serve())

    async def run_command(self, *arguments: str) -> tuple[str, str, int]:
        """``tokensock`` with these arguments: what it printed, said, and its exit status."""
        arguments = (*arguments, f"--host=127.0.0.1:{self.server.port}")
        out, err, status = await within(
            getProcessOutputAndValue(script("tokensock"), arguments, reactor=reactor)
        )
        return out.decode(), err.decode(), status

    async def test_rpc(self) -> None:
        """The answer is JSON on stdout, and nothing else is said."""
        self.assertEqual(
            await self.run_command("rpc", "echo", '{"foo":"bar"}'), ('{"foo":"bar"}\n', "", 0)
        )
        self.assertEqual(await self.run_command("rpc", "echo"), ("null\n", "", 0))

    async def test_credentials(self) -> None:
        """``--auth`` nests at dots, adds up, and stands on either side of the command."""
        out, _, status = await self.run_command(
            "--auth", "user=ada", "rpc", "whoami", "--auth", "a.b=1", "--auth", "a.c=é="
        )
        self.assertEqual(
            (json.loads(out), status), ({"user": "ada", "a": {"b": "1", "c": "é="}}, 0)
        )

    async def test_remote_errors(self) -> None:
        """What the server refuses is one line on stderr, and exit status 1."""
        out, err, status = await self.run_command("rpc", "missing")
        self.assertEqual((out, status), ("", 1))
        place = "(docs: troubleshooting.html#FunctionNotFound)"
        self.assertEqual(err, f"tokensock: rpc 'missing': Function not found {place}\n")

    async def test_unreachable(self) -> None:
        """No server is one line on stderr, and exit status 1."""
        await self.server.kill()
        for command in (["rpc", "echo"], ["publish", "a", "1"], ["broadcast", "1"]):
            out, err, status = await self.run_command(*command)
            self.assertEqual((out, status, err.count("\n")), ("", 1, 1), err)
            self.assertIn("refused", err)

    async def test_silent_server(self) -> None:
        """``--timeout`` bounds everything."""
        self.server.stop()
        self.addCleanup(self.server.cont)
        _, err, status = await self.run_command("rpc", "echo", "--timeout", "0.5")
        self.assertEqual(status, 1)
        self.assertIn("within 0.5 seconds", err)

    async def test_reasons(self) -> None:
        """Why nothing was answered is said, with the options of the command."""
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        arguments = ("rpc", "echo", "--timeout", "5", "--host", url)
        _, err, status = await within(
            getProcessOutputAndValue(script("tokensock"), arguments, reactor=reactor)
        )
        self.assertEqual((status, err.count(b"\n")), (1, 1))
        self.assertIn(f"no answer from {url} within 5 seconds".encode(), err)
        self.assertIn(b"is it http:// there?", err)

    async def test_publish_to_listener(self) -> None:
        """What is published and broadcast is one line of JSON each, in order."""
        listener = await self.started(Listener(self.server.port, "channel1"))
        self.assertEqual(await self.run_command("publish", "channel1", '{"a":1}'), ("", "", 0))
        self.assertEqual(await self.run_command("broadcast", '"all"'), ("", "", 0))
        await listener.until(lambda: len(listener.messages()) == 2)
        self.assertEqual(
            listener.messages(),
            [
                {"channel": "channel1", "message": {"a": 1}},
                {"channel": "channel1", "message": "all"},
            ],
        )

    async def test_listener_reconnects(self) -> None:
        """A listener survives its server, and hears what is said after it returns."""
        listener = await self.started(Listener(self.server.port, "channel1"))
        await self.server.restart()
        await listener.until(lambda: sum("connected" in line for line in listener.output) >= 3)
        await self.run_command("publish", "channel1", "1")
        await listener.until(listener.messages)
        self.assertEqual(listener.messages(), [{"channel": "channel1", "message": 1}])

    async def test_interrupt(self) -> None:
        """Ctrl-C ends a listener with status 130, without a traceback."""
        listener = await self.started(Listener(self.server.port, "channel1"))
        self.assertIn("exit code 130", await within(listener.interrupt(), EVENT_SECONDS))
        self.assertNotIn("Traceback", listener.log())

    async def test_port_in_use(self) -> None:
        """A second server on the port is one line, and exit status 1."""
        arguments = self.server.command()[1:]
        _, err, status = await within(
            getProcessOutputAndValue(script("twistd"), arguments, reactor=reactor)
        )
        self.assertEqual((status, err.count(b"\n")), (1, 1), err)
        self.assertIn(b"already in use", err)

    async def test_ipv6(self) -> None:
        """The token and the socket come over IPv6 as well."""
        server = await self.started(Serve(endpoint=r"tcp6:{}:interface=\:\:1"))
        out, err, status = await within(
            getProcessOutputAndValue(
                script("tokensock"),
                ["rpc", "echo", "1", f"--host=[::1]:{server.port}"],
                reactor=reactor,
            )
        )
        self.assertEqual((out, err, status), (b"1\n", b"", 0))

    async def test_plugin_is_listed(self) -> None:
        """``twistd --help`` knows us."""
        out, _, status = await within(
            getProcessOutputAndValue(script("twistd"), ["--help"], reactor=reactor)
        )
        self.assertEqual(status, 0)
        self.assertRegex(out.decode(), r"(?m)^ +tokensock +A token-sockjs server")
