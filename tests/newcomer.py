"""
The README's steps, as a newcomer takes them who has installed a wheel and has no checkout::

    python -m tests.newcomer README.md ENVIRONMENT

They are taken in an empty folder: a program is written where the README says that it is, and a
command is run as it is printed, with its output compared.  ``make run`` alone is replaced, by the
``twistd tokensock`` that it comes to.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Thread

SECONDS = 60
"""How long a step may take on a busy machine."""
PORTS = 8080, 8084
"""Where the README has its servers."""


class Newcomer:
    """
    Somebody with a terminal.

    :param readme: what is read.
    :param installed: the environment in which the package is installed.
    :param folder: an empty one, to work in.
    """

    def __init__(self, readme: str, installed: Path, folder: Path) -> None:
        self._blocks = re.findall(r"(?ms)^```(\w+)\n(.*?)^```", readme)
        self._folder = folder
        # The README's own paths: what a checkout has in .venv, and its examples.
        (folder / ".venv").symlink_to(installed)
        (folder / "examples").mkdir()
        path = f"{installed / 'bin'}{os.pathsep}{os.environ['PATH']}"
        hidden = {"PYTHONPATH", "VIRTUAL_ENV"}
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        self._environment = {**kept, "PATH": path, "PYTHONUNBUFFERED": "1"}

    def read(self, language: str, containing: str) -> str:
        """The only block in a language that contains a text."""
        found: list[str] = [
            text for kind, text in self._blocks if kind == language and containing in text
        ]
        assert len(found) == 1, f"{len(found)} blocks of {language} with {containing!r}"
        return found[0]

    def write(self, name: str, text: str) -> None:
        """Write a program."""
        (self._folder / name).write_text(text, encoding="utf-8")

    def run(self, command: str, expected: str | None = None) -> None:
        """
        Run a command until it ends, which must be a success.

        :param expected: what it must print, if the README says so.
        """
        print(f"$ {command}", flush=True)
        done = subprocess.run(
            command,
            shell=True,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        print(done.stdout, flush=True)
        assert done.returncode == 0, f"exit status {done.returncode}"
        assert expected in (None, done.stdout), f"expected:\n{expected}"

    @contextmanager
    def running(self, command: str, ready: str) -> Iterator[Server]:
        """Run a command that goes on until the block ends, and says when it is ready."""
        print(f"$ {command}", flush=True)
        process = subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        server = Server(process)
        try:
            server.until(ready)
            yield server
        finally:
            process.terminate()
            process.wait(SECONDS)


class Server:
    """A command that goes on, and what it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.printed = ""
        self._process = process
        self._changed = Condition()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.printed += line
                self._changed.notify_all()

    def until(self, text: str) -> None:
        """Wait until it has printed a text."""
        with self._changed:
            seen = self._changed.wait_for(lambda: text in self.printed, SECONDS)
        assert seen, f"no {text!r} in:\n{self.printed}"


def commands(block: str) -> list[tuple[str, str]]:
    """Each command of a block for a terminal, with what it prints."""
    parts = re.split(r"(?m)^\$ ", block)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def first_steps(newcomer: Newcomer) -> None:
    """ "Try it" and "Use it": a server, the commands that it prints, and a program."""
    assert commands(newcomer.read("console", "make run")) == [("make run", "")]
    newcomer.run("twistd --help | grep -E '^ +tokensock '")
    with newcomer.running("twistd -n tokensock", "tokensock publish channel1") as server:
        call, listen, publish = re.findall(r"(?m)^ {4}(\S*tokensock .*)", server.printed)
        newcomer.run(call, '{"foo":"bar"}\n')
        with newcomer.running(listen, "channel1") as listener:
            newcomer.run(publish)
            listener.until('{"foo":"bar"}')
        newcomer.write("examples/quickstart.py", newcomer.read("python", '"no.such.function"'))
        ((command, output),) = commands(newcomer.read("console", "quickstart.py"))
        newcomer.run(command, output)


def own_server(newcomer: Newcomer) -> None:
    """ "Serve it": a server of the newcomer's own."""
    newcomer.write("examples/server.tac", newcomer.read("python", "StreamServerEndpointService"))
    (serve, _), (call, answer) = commands(newcomer.read("console", "server.tac"))
    with newcomer.running(serve, "starting on"):
        newcomer.run(call, answer)


def main(readme: str, installed: str) -> None:
    """Take the steps; an assertion says which does not do what the README says."""
    for port in PORTS:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
    text = Path(readme).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        newcomer = Newcomer(text, Path(installed).resolve(), Path(folder))
        first_steps(newcomer)
        own_server(newcomer)


if __name__ == "__main__":
    main(*sys.argv[1:])
