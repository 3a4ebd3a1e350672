"""
Does what a page of the documentation says: ``python -m tests.interop.pages FILE``.

In order, files with a caption are written, and each console block is run as printed, in a copy of
the checkout.  What it prints must be what the page shows, where ``...`` stands for any text.  A
program that goes on, such as a server, must print what is shown, and is left running, until the
end or until the same command comes again.  A text block, where a program goes on, must be in what
such programs print.  A comment ``not run: REASON`` before a block leaves it out; one ``beside:
COMMAND`` runs that before.

The process should be in a network of its own (``unshare -rn``), for the pages name ports.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
"""What a command may take, or a program that goes on until it has said what it should."""

_GOES_ON = re.compile(
    r"make run$|.*\btwistd (?!.*--check)|.*\btokensock .*\b(listen|reply) |.* watch\.py"
)
_LINKS = ("Makefile", "docs", "examples", "pyproject.toml", "setup.py", "tests", "txtokensock")


class Block(NamedTuple):
    """A block of a page: where it is, of what kind, its text, its caption, and its comment."""

    line: int
    kind: str
    text: str
    caption: str = ""
    comment: str = ""

    @property
    def is_run(self) -> bool:
        """Whether anybody tries it."""
        return not self.comment.startswith("not run: ")


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in Markdown or reStructuredText."""
    text = page.read_text(encoding="utf-8")
    return list(_markdown(text) if page.suffix == ".md" else _restructured(text, page.parent))


def _markdown(text: str) -> Iterator[Block]:
    pattern = r"^(?:<!-- ((?:not run|beside): [^>]*) -->\n\n?)?```(\w+)\n(.*?)^```$"
    for found in re.finditer(pattern, text, re.M | re.S):
        line = text.count("\n", 0, found.start(2)) + 1
        yield Block(line, found[2], found[3], comment=found[1] or "")


def _restructured(text: str, folder: Path) -> Iterator[Block]:
    pattern = (
        r"^( *)(?:\.\. ((?:not run|beside): .*)\n\n *)?\.\. (code-block|literalinclude):: (\S+)\n"
        r"((?:\1   :.*\n)*)((?:\n|\1   .*\n)*)"
    )
    for found in re.finditer(pattern, f"{text}\n", re.M):
        line = text.count("\n", 0, found.start(3)) + 1
        caption = re.search(r":caption: (\S+)", found[5])
        name = caption[1] if caption else ""
        if found[3] == "code-block":
            body = textwrap.dedent(found[6]).strip("\n") + "\n"
            yield Block(line, found[4], body, name, found[2] or "")
        elif name:
            yield Block(line, "file", (folder / found[4]).read_text(encoding="utf-8"), name)


def steps(block: Block) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and not found[-1][1] and found[-1][0].endswith("\\"):
            found[-1] = (f"{found[-1][0]}\n{line}", [])
        elif found:
            found[-1][1].append(line)
    return [(command, "\n".join(lines).rstrip("\n").split("\n")) for command, lines in found]


class WrongPage(Exception):
    """What happened is not what the page says."""


class Reader:
    """
    Somebody with a terminal, and several programs that go on.

    :param folder: empty; the copy of the checkout is made in it.
    """

    def __init__(self, folder: Path) -> None:
        self._directory = folder / "txtokensock"
        environment = self._directory / ".venv"
        environment.mkdir(parents=True)
        for name in ("bin", "lib", "pyvenv.cfg"):
            (environment / name).symlink_to(Path(sys.prefix, name))
        for name in _LINKS:
            (self._directory / name).symlink_to(ROOT / name)
        (environment / "installed").touch()  # "make" finds nothing to install
        self._environment = {
            **os.environ,
            "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(folder),
            "NO_PROXY": "127.0.0.1",
        }
        # A port may listen a moment after another one of the same program.
        curl = "silent\nretry = 10\nretry-delay = 1\nretry-connrefused\n"
        (folder / ".curlrc").write_text(curl, encoding="utf-8")
        self._status = 0
        self._going_on: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self._folder = folder

    def read(self, block: Block) -> None:
        """Do what a block says."""
        beside = block.comment.removeprefix("beside: ")
        if beside != block.comment:
            self._run(beside, [""])
        if block.kind == "console":
            for command, lines in steps(block):
                self._run(command, lines)
        elif block.kind == "text" and self._going_on:
            self._until(lambda: _is_in(block.text, self._said()), "text", block.text, self._said)
        elif block.caption:
            (self._directory / block.caption).write_text(block.text, encoding="utf-8")

    def close(self) -> None:
        """End what goes on."""
        for command in list(self._going_on):
            self._end(command)

    def _run(self, command: str, lines: list[str]) -> None:
        shown = "\n".join(lines)
        self._end(command)
        # A program that goes on and ends at once, for it says that it cannot, ended as others do.
        output = self._folder / f"output-{len(self._going_on)}-{time.monotonic_ns()}"
        place = self._folder / "place"
        script = f"(exit {self._status})\n{command}\nstatus=$?; pwd >{place}; exit $status"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._going_on[command] = process, output

        def said() -> str:
            return output.read_text(errors="replace")

        if _GOES_ON.match(command):
            wanted = shown or (" starting on " if "twistd" in command or "make" in command else "")

            def is_done() -> bool:
                return process.poll() is not None or _is_in(wanted, said())

            self._until(is_done, command, shown, said)
            if process.poll() is None:
                return
        else:
            self._until(lambda: process.poll() is not None, command, shown, said)
        self._status = process.wait()
        del self._going_on[command]
        self._directory = Path(place.read_text().strip())
        says_all = shown or re.match(r"\S*tokensock ", command)
        if says_all and not re.fullmatch(_pattern(shown), said().rstrip("\n")):
            raise WrongPage(f"$ {command}\n--- the page shows\n{shown}\n--- it says\n{said()}")
        if not shown and self._status:
            raise WrongPage(f"$ {command}\nended with status {self._status}\n{said()}")

    def _end(self, command: str) -> None:
        process, _ = self._going_on.pop(command, (None, None))
        if process is not None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(SECONDS)

    def _said(self) -> str:
        """All that what goes on has said."""
        return "\n".join(output.read_text() for _, output in self._going_on.values())

    def _until(
        self, is_done: Callable[[], bool], what: str, shown: str, said: Callable[[], str]
    ) -> None:
        end = time.monotonic() + SECONDS
        while not is_done():
            if time.monotonic() > end:
                raise WrongPage(f"{what}: not within {SECONDS:g} s:\n{shown}\n--- but\n{said()}")
            time.sleep(0.02)


def _pattern(shown: str) -> str:
    return r"(?s:.*)".join(re.escape(part) for part in shown.split("..."))


def _is_in(shown: str, said: str) -> bool:
    return re.search(_pattern(shown.rstrip("\n")), said) is not None


def _loopback() -> None:
    """A new network has a loopback device, which is down."""
    with socket.socket() as any_socket:
        up = struct.pack("16sh", b"lo", 0x41)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS


def main(page: Path, *options: str) -> None:
    """Read a page; an error says where it is wrong."""
    if "--new-network" in options:
        _loopback()
    print("reading", page.name, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(Path(folder))
        try:
            for block in blocks_of(page):
                if block.is_run:
                    try:
                        reader.read(block)
                    except WrongPage as problem:
                        sys.exit(f"{page.name}:{block.line}: {problem}")
        finally:
            reader.close()
    print(f"{shlex.quote(page.name)} is right")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
