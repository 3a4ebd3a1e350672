"""
The examples of the documentation, each run as it says.

An example names the address of ``twistd tokensock`` or one of its own; the tests pass
another in its arguments, or, where it takes none, in its text.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.kit.processes import Program

from .support import InteropTestCase, NodeServerTestCase
from .twistd import Serve, script

EXAMPLES = Path(__file__).parents[2] / "examples"
LOOPBACK = "tcp:0:interface=127.0.0.1"
SUCCESS = "process finished with exit code 0"


class Python(Program):
    """
    A Python program, with what it prints.

    :param name: for people.
    :param arguments: for the interpreter.
    :param ready: a text in the line that says that it is ready.
    :param environment: more of it.
    """

    def __init__(self, name: str, *arguments: object, ready: str = "", **environment: str) -> None:
        super().__init__()
        self.name = name
        self._arguments = [str(argument) for argument in arguments]
        self._ready = ready
        self._environment = {**environment, "PYTHONUNBUFFERED": "1"}

    def command(self) -> list[str]:
        return [sys.executable, *self._arguments]

    def environment(self) -> dict[str, str]:
        return self._environment

    def is_ready(self, line: str) -> bool:
        return self._ready in line

    async def end(self) -> list[str]:
        """
        Wait until it ends by itself.

        :return: what it printed, if it ended well.
        """
        await self.ended()
        assert SUCCESS in self.output[-1], self.log()
        return self.output[:-1]

    @property
    def address(self) -> str:
        """``host:port``, of a program that prints where it listens."""
        (line,) = [line for line in self.output if line.startswith("listening on ")]
        return line.removeprefix("listening on ")


def example(name: str, *arguments: object, **options: str) -> Python:
    """One of the files in ``examples``, with arguments."""
    return Python(name, EXAMPLES / name, *arguments, **options)


def example_for(address: str, name: str, **options: str) -> Python:
    """An example that takes no argument, told of another server in its text."""
    text = (EXAMPLES / name).read_text()
    assert "127.0.0.1:8080" in text
    return Python(name, "-c", text.replace("127.0.0.1:8080", address), **options)


def tokensock(address: str, *arguments: object, ready: str = "") -> Python:
    """The command ``tokensock``."""
    return Python(
        f"tokensock {arguments}", script("tokensock"), "--host", address, *arguments, ready=ready
    )


class ExampleTestCase(InteropTestCase):
    """Nothing is needed but Python."""

    async def setUp(self) -> None:
        """Not what tests with JavaScript need."""


class EmbeddedServerTest(ExampleTestCase):
    """The examples whose server is ``twistd tokensock``."""

    async def setUp(self) -> None:
        self.server = await self.started(Serve())

    async def test_quickstart(self) -> None:
        """It prints what the README says."""
        program = await self.started(example_for(self.server.address, "quickstart.py"))
        self.assertEqual(await program.end(), QUICKSTART)

    async def test_inline_callbacks(self) -> None:
        """The same in another style."""
        program = await self.started(example("inline_callbacks.py", self.server.address))
        self.assertEqual(await program.end(), QUICKSTART)

    async def test_with_asyncio(self) -> None:
        """The same in a program of asyncio's, also where the server's name is looked up."""
        port = self.server.port
        for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
            program = await self.started(example("with_asyncio.py", host))
            self.assertEqual(await program.end(), QUICKSTART)

    async def chat(self, name: str) -> Python:
        """A client that is in the chat."""
        return await self.started(
            example("chat_client.py", name, self.server.address, ready="in the chat")
        )

    async def test_chat(self) -> None:
        """Two people and the log hear each other, also after a restart of the server."""
        log = await self.started(
            Python(
                "chat_log.tac",
                *(script("twistd"), "--pidfile=", "-noy", EXAMPLES / "chat_log.tac"),
                ready="[chat#info] listening",
                HOST=self.server.address,
            )
        )
        ada, grace = await self.chat("ada"), await self.chat("grace")
        ada.write_line("hello")
        for each in (ada, grace, log):
            await each.line("ada: hello")
        await self.server.kill()
        await grace.line("-- disconnected")
        await self.server.start()
        for each in (ada, grace):
            await each.line("-- connected", count=2)
        # Subscriptions are restored before what waits is sent, but each client's alone:
        # what grace types reaches grace for certain.
        grace.write_line("here again")
        await grace.line("grace: here again")
        for each in (ada, grace):
            each.end_input()
            await each.end()

    async def test_chat_without_a_server(self) -> None:
        """A client that is started first says so, and waits."""
        await self.server.kill()
        ada = await self.started(
            example("chat_client.py", "ada", self.server.address, ready="trying again")
        )
        await self.server.start()
        await ada.line("you are in the chat")


class OwnServerTest(ExampleTestCase):
    """The examples that bring their own server."""

    async def test_server_in_site(self) -> None:
        """The page, the token route and the hook, as its docstring says."""
        site = await self.started(example("server_in_site.py", LOOPBACK, ready="listening on"))

        async def said(*arguments: str) -> str:
            command = await self.started(tokensock(site.address, *arguments))
            await command.until(lambda: len(command.output) > 1)
            return command.output[0]

        ada = ("--auth", "user=ada", "--auth", "password=lovelace")
        grace = ("--auth", "user=grace", "--auth", "password=hopper")
        stranger = ("--auth", "user=grace", "--auth", "password=guess")
        self.assertEqual(await said(*ada, "rpc", "whoami"), '{"user":"ada","admin":true}')
        refused = "tokensock: publish to 'news': Forbidden (docs: troubleshooting.html#Forbidden)"
        self.assertEqual(await said(*grace, "publish", "news", '"hello"'), refused)
        self.assertIn("refused us: 403", await said(*stranger, "rpc", "whoami"))
        answers = [
            await said(*grace, "rpc", "math.divide", data)
            for data in ('{"a":1,"b":4}', '{"a":1,"b":0}', '"both"', "null")
        ]
        problem = "tokensock: rpc 'math.divide': send numbers a and b, b not 0"
        problem += " (docs: troubleshooting.html#RemoteError)"
        self.assertEqual(answers, ["0.25", problem, problem, problem])
        page = f"import urllib.request as u; print(u.urlopen('http://{site.address}/').read())"
        browser = await self.started(Python("browser", "-c", page, ready="A page of the site"))
        await browser.end()
        site.signal("INT")
        await site.end()

    async def test_server_for_twistd(self) -> None:
        """The README's server, which is the whole of the example's program."""
        text = (EXAMPLES / "server.tac").read_text()
        program = text.split('"""\n', 2)[2].strip()
        self.assertIn(f"```python\n{program}\n```", (EXAMPLES.parent / "README.md").read_text())
        twistd = (script("twistd"), "--pidfile=", "-noy", EXAMPLES / "server.tac")
        server = await self.started(
            Python("server.tac", *twistd, ready="BoundedSite starting on", LISTEN=LOOPBACK)
        )
        port = server.output[-1].rpartition(" ")[2]
        ada = ("--auth", "user=ada", "--auth", "password=lovelace")
        for credentials, said in ((ada, "42"), ((), "refused us: 403")):
            command = tokensock(f"127.0.0.1:{port}", *credentials, "rpc", "double", "21")
            await self.started(command)
            await command.until(lambda command=command: len(command.output) > 1)
            self.assertIn(said, command.output[0])

    async def test_without_arguments(self) -> None:
        """What needs arguments says so in a line."""
        for name in ("echo_over_sockjs.py", "chat_client.py"):
            program = await self.started(example(name))
            await program.ended()
            self.assertTrue(program.output[0].startswith(f"usage: {name} "), program.log())
            self.assertEqual(len(program.output), 2, program.log())

    async def test_echo_over_sockjs(self) -> None:
        """Both ends of the echo."""
        server = await self.started(
            example("echo_over_sockjs.py", "serve", LOOPBACK, ready="listening on")
        )
        url = f"http://{server.address}/echo"
        client = await self.started(example("echo_over_sockjs.py", "send", url, "hello", "world"))
        end = "SockJS session closed: 1000 Normal closure"
        self.assertEqual(await client.end(), ["hello", "world", end])

    async def test_tests(self) -> None:
        """The example of a test passes."""
        directory = tempfile.mkdtemp(prefix="txtokensock-trial-")
        self.addCleanup(shutil.rmtree, directory)
        trial = ("-m", "twisted.trial", "--temp-directory", os.path.join(directory, "trial"))
        tests = await self.started(
            Python("trial", *trial, EXAMPLES / "test_thermostat.py", ready="Ran 4 tests")
        )
        await tests.end()


class NodeServerExamplesTest(NodeServerTestCase):
    """The examples of the client do the same with the real Node server."""

    async def test_quickstart(self) -> None:
        """Both styles."""
        address = self.node.url.removeprefix("http://")
        for program in (
            example_for(address, "quickstart.py"),
            example("inline_callbacks.py", address),
        ):
            await self.started(program)
            self.assertEqual(await program.end(), QUICKSTART)

    async def test_chat(self) -> None:
        """Two people."""
        people: list[Any] = [
            await self.started(example("chat_client.py", name, self.node.url, ready="in the chat"))
            for name in ("ada", "grace")
        ]
        people[0].write_line("hello")
        for each in people:
            await each.line("ada: hello")


QUICKSTART = ["{'foo': 'bar'}", "rpc 'no.such.function': Function not found", "{'hello': 'world'}"]
