"""``tokensock`` in a real terminal, and behind pipes."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from txtokensock import RemoteError

from .embedded import EmbeddedServer
from .support import InteropTestCase, within
from .twistd import Serve, script


class Typist(ProcessProtocol):
    """One process: what is typed into it, and what it shows."""

    def __init__(self) -> None:
        self.shown = ""
        self.status: Deferred[int] = Deferred()
        self._waiting: list[tuple[str, Deferred[None]]] = []

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.shown += data.decode()
        for text, waiting in list(self._waiting):
            if text in self.shown:
                self._waiting.remove((text, waiting))
                waiting.callback(None)

    def until(self, text: str) -> Deferred[None]:
        """Fires when this is shown."""
        found: Deferred[None] = Deferred()
        self._waiting.append((text, found))
        self.childDataReceived(1, b"")
        return found

    def type(self, text: str) -> None:
        self.transport.write(text.encode())

    def processEnded(self, reason: Failure) -> None:
        reason.trap(ProcessDone, ProcessTerminated)
        self.status.callback(reason.value.exitCode)


class TerminalTests(InteropTestCase):
    """A person types."""

    programs = ()

    async def setUp(self) -> None:
        await super().setUp()
        self.server = await self.started(Serve())

    def spawn(self, *arguments: str, terminal: bool = True, **env: str) -> Typist:
        typist = Typist()
        environment: dict[str, Any] = {**os.environ, "TERM": "xterm"}
        environment.pop("NO_COLOR", None)
        environment |= {"TOKENSOCK_HOST": f"127.0.0.1:{self.server.port}", **env}
        command = [script("tokensock"), *arguments]
        process = reactor.spawnProcess(  # type: ignore[attr-defined]
            typist, command[0], command, env=environment, usePTY=terminal
        )
        self.addCleanup(lambda: process.pid and process.signalProcess("KILL"))
        return typist

    async def test_answer(self) -> None:
        """Several lines, in colours, and none of what a peer says is obeyed."""
        typist = self.spawn("rpc", "echo", r'{"k":"\u001b[2J\u009b31m\u202e"}')
        self.assertEqual(await within(typist.status), 0)
        self.assertIn('\x1b[32m"\\u001b[2J\\u009b31m\\u202e"\x1b[0m', typist.shown)
        self.assertEqual(typist.shown.count("\r\n"), 3)

    async def test_interrupt(self) -> None:
        """Ctrl-C ends a listener with 130, and a command that is hardly there as well."""
        typist = self.spawn("listen", "a")
        await within(typist.until("listening to a"))
        typist.type("\x03")
        self.assertEqual(await within(typist.status), 130)
        self.assertNotIn("Traceback", typist.shown)

    async def test_secret(self) -> None:
        """What is asked for is not shown, and Ctrl-C ends the question."""
        typist = self.spawn("rpc", "whoami", "--auth-prompt", "key")
        await within(typist.until("key:"))
        typist.type("s3\n")
        self.assertEqual(await within(typist.status), 0)
        self.assertEqual(typist.shown.count("s3"), 1)  # in the answer
        typist = self.spawn("rpc", "whoami", "--auth-prompt", "key")
        await within(typist.until("key:"))
        typist.type("\x03")
        self.assertEqual(await within(typist.status), 130)

    async def test_lines(self) -> None:
        """Lines of stdin are answered as they come, also those that come later."""
        typist = self.spawn("rpc", "echo", "-", terminal=False)
        typist.type('{"a":1}\n')
        await within(typist.until('{"a":1}\n'))
        typist.type('\n"b"\n')
        await within(typist.until('"b"\n'))
        typist.transport.closeStdin()
        self.assertEqual(await within(typist.status), 0, typist.shown)
        typist = self.spawn("publish", "a", "-", terminal=False)
        typist.type("1\nfoo\n")
        self.assertEqual(await within(typist.status), 1)
        self.assertIn("line 2 of stdin: 'foo' is not valid JSON", typist.shown)

    async def examined(self, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """The status of ``doctor``, and its steps by their names."""
        doctor = self.spawn("doctor", *arguments, terminal=False)
        status = await within(doctor.status)
        return status, {step["step"]: step for step in map(json.loads, doctor.shown.splitlines())}

    async def test_doctor(self) -> None:
        """Where all is well each step says so, in order, with its time."""
        status, steps = await self.examined("--host", f"localhost:{self.server.port}")
        self.assertEqual(status, 0)
        transports = ["websocket", "xhr-streaming", "eventsource", "xhr-polling", "websocket-raw"]
        names = ["address", "dns", "tcp", "token", "info", *transports]
        self.assertEqual([*steps], [*names, "auth", "ping", "subscribe"])
        for step in steps.values():
            self.assertEqual([*step], ["step", "ok", "seconds", "detail"])
            self.assertIs(step["ok"], True)

    async def test_doctor_finds(self) -> None:
        """Where something is not, it says which step, why, and what to do."""
        status, steps = await self.examined("--token-path", "/nothing", "--transport", "websocket")
        self.assertEqual((status, steps["websocket"]["ok"]), (1, True))
        self.assertIn("answered 404", steps["token"]["detail"])
        self.assertIn("--token-path", steps["token"]["remedy"])
        self.assertNotIn("auth", steps)
        await self.server.kill()
        status, steps = await self.examined()
        self.assertEqual((status, [*steps]), (1, ["address", "tcp"]))
        self.assertIn("refused", steps["tcp"]["detail"])

    async def test_doctor_wraps(self) -> None:
        """Lines for people end at a word, and go on below the text that they belong to."""
        doctor = self.spawn("doctor", "--token-path", "/nothing", NO_COLOR="1", COLUMNS="80")
        self.assertEqual(await within(doctor.status), 1)
        lines = doctor.shown.splitlines()
        self.assertLessEqual(max(map(len, lines)), 80, doctor.shown)
        self.assertIn(f"{'':33}answered 404: is a token-sockjs server at that", lines)
        remedy = lines.index(
            "     Check the path (--token-path), the credentials (--auth, --auth-file), and"
        )
        self.assertEqual(lines[remedy + 1], "     the server's log.")

    async def test_bench(self) -> None:
        """Figures for programs on stdout, and a bar for people on stderr."""
        arguments = ("bench", "echo", "1", "--count=50", "--concurrency=5")
        bench = self.spawn(*arguments, terminal=False)
        self.assertEqual(await within(bench.status), 0, bench.shown)
        figures = json.loads(bench.shown)
        percentiles = ["p50", "p90", "p99", "p100"]
        totals = ["calls", "refused", "seconds", "calls_per_second"]
        self.assertEqual([*figures], [*totals, *percentiles])
        self.assertEqual((figures["calls"], figures["refused"]), (50, 0))
        times = [figures[name] for name in percentiles]
        self.assertEqual(times, sorted(times))
        terminal = self.spawn("bench", "missing", "--count=2")
        self.assertEqual(await within(terminal.status), 1)
        self.assertIn("100%", terminal.shown)
        self.assertIn("Function not found", terminal.shown)

    async def test_console(self) -> None:
        """
        A prompt calls, publishes and watches, by the names of the shell as well, completes, and
        outlives a mistake.
        """
        home = tempfile.TemporaryDirectory(prefix="txtokensock-")
        self.addCleanup(home.cleanup)
        console = self.spawn("console", XDG_STATE_HOME=home.name, PROMPT_TOOLKIT_NO_CPR="1")
        await within(console.until("tokensock: connected"))
        for typed, shown in (
            ('watch a\rpublish a {"x":1}\r', '"x"\x1b[0m: \x1b[36m1'),
            ('call echo "h\\u0069"\r', '\x1b[32m"hi"'),
            ("call missing\r", "rpc 'missing': Function not found"),
            ("cal\t echo 5\r", "\x1b[36m5"),
            ("rpc ec\t 6\r", "\x1b[36m6"),
            ("listen b\rpublish b 7\r", "\x1b[36m7"),
            ("bogus\r", "there is no bogus: type help"),
        ):
            console.type(typed)
            await within(console.until(shown))
        console.type("\x03")
        self.assertEqual(await within(console.status), 130)
        history = Path(home.name, "tokensock", "history")
        self.assertEqual(stat.S_IMODE(history.stat().st_mode), 0o600)
        self.assertIn("+call missing\n", history.read_text())
        again = self.spawn("console", XDG_STATE_HOME=home.name, PROMPT_TOOLKIT_NO_CPR="1")
        await within(again.until("tokensock: connected"))
        again.type("quit\r")
        self.assertEqual(await within(again.status), 0)
        killed = self.spawn("console", XDG_STATE_HOME=home.name, PROMPT_TOOLKIT_NO_CPR="1")
        await within(killed.until("tokensock: connected"))
        killed.transport.signalProcess("INT")  # as where the terminal is not the prompt's
        self.assertEqual(await within(killed.status), 130)
        self.assertNotIn("Traceback", console.shown + again.shown + killed.shown)

    async def test_reply(self) -> None:
        """A program answers: its stdout is the answer, and its failure an error."""
        embedded = EmbeddedServer()
        await embedded.start()
        self.addCleanup(embedded.stop)
        program = (
            "import json, sys; data = json.load(sys.stdin)\n"
            "if data == 'wait': import time; time.sleep(60)\n"
            "if data == 'fail': sys.exit('no such thing')\n"
            "print('text' if data == 'text' else json.dumps([data, sys.argv[1]]))"
        )
        reply = self.spawn(
            *("reply", "a.b", "--host", embedded.url, "--kill-after=2", "--"),
            *(sys.executable, "-c", program, "$HOME; *"),
            terminal=False,
        )
        await within(reply.until("answering a.b"))
        [peer] = embedded.server.peers()
        answer = await within(peer.rpc("a.b", {"x": 1}))
        self.assertEqual(answer, [{"x": 1}, "$HOME; *"])
        for data, problem in (
            ("fail", "no such thing"),
            ("text", "printed no valid JSON"),
            ("wait", "killed after 2 seconds"),
        ):
            with self.assertRaises(RemoteError) as caught:
                await within(peer.rpc("a.b", data))
            self.assertIn(problem, str(caught.exception))
        reply.transport.signalProcess("INT")
        self.assertEqual(await within(reply.status), 130)

    async def test_file_as_stdin(self) -> None:
        """A file, which no reactor can watch, and messages that a listener counts."""
        listener = self.spawn("listen", "a", "--count=3", "--timestamps", terminal=False)
        await within(listener.until("listening to a"))
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("1\n2\n")
            file.flush()
            command = [script("tokensock"), "publish", "a", "-"]
            shell = ["/bin/sh", "-c", f'exec "$@" < {file.name}', "sh", *command]
            publisher = Typist()
            env = {**os.environ, "TOKENSOCK_HOST": f"127.0.0.1:{self.server.port}"}
            reactor.spawnProcess(publisher, shell[0], shell, env=env)  # type: ignore[attr-defined]
            self.assertEqual(await within(publisher.status), 0, publisher.shown)
        typist = self.spawn("publish", "a", '"x"', "--count=2", terminal=False)
        self.assertEqual(await within(typist.status), 0)
        self.assertEqual(await within(listener.status), 0)
        lines = [json.loads(line) for line in listener.shown.splitlines() if line[0] == "{"]
        self.assertEqual([line["message"] for line in lines], [1, 2, "x"])
        self.assertRegex(lines[0]["time"], r"^\d{4}-\d\d-\d\dT[\d:.]{12}\+00:00$")
