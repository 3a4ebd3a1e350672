"""
What the tests with real peers stand on: requirements, packages, and a test case.

These tests are trial's ``TestCase``s, run by pytest (``python -m pytest tests/interop``;
trial itself runs them too).  trial's ``TestCase`` runs the global reactor for each test
until its coroutine is done, within ``timeout``; afterwards it fails the test for every
DelayedCall, socket and process that is left, and for every error that was logged.  That
is just what these tests want of a harness, and pytest takes such a test as it is, also
``async def`` ones: no plugin and no second notion of an event loop is needed.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase

from tests.kit.processes import EVENT_SECONDS, Program
from txtokensock import Backoff, TokenSocket

from .servers import NODE, NodeServer, Redis

T = TypeVar("T")
ProgramT = TypeVar("ProgramT", bound=Program)

INSTALL_SECONDS = 600.0
"""How long ``npm install`` may take; it runs once per checkout and change of package.json."""


@functools.cache
def missing_programs(*programs: str) -> str:
    """A reason not to run the tests that need these programs, empty if there is none."""
    missing = [program for program in programs if shutil.which(program) is None]
    return f"needs {', '.join(missing)}, not found in PATH" if missing else ""


@functools.cache
def install_packages() -> None:
    """
    Make ``node/node_modules`` what ``node/package.json`` says.

    It blocks, on purpose: there is nothing else to do meanwhile.  The copy of
    package.json in node_modules says what was installed last; it is written at the end,
    so that a broken installation is made again.  The lock lets two test runs in one
    checkout take turns.

    :raises AssertionError: with npm's output, if it cannot.
    """
    package = NODE / "package.json"
    installed = NODE / "node_modules" / ".installed-package.json"
    with package.open("rb") as wanted:
        fcntl.flock(wanted, fcntl.LOCK_EX)
        text = wanted.read()
        if installed.exists() and installed.read_bytes() == text:
            return
        installed.unlink(missing_ok=True)
        command = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
        npm = subprocess.run(
            command,
            cwd=NODE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=INSTALL_SECONDS,
            check=False,
            text=True,
        )
        if npm.returncode:
            raise AssertionError(f"{' '.join(command)} failed in {NODE}:\n{npm.stdout}")
        installed.write_bytes(text)


class InteropTestCase(TestCase):
    """
    A test with real peers: skipped where their programs are missing, save with
    ``CI=true`` in the environment, where that is a failure.
    """

    timeout = 60
    """Seconds for each of setUp, test and cleanup: the last resort, waits have their own."""

    programs: tuple[str, ...] = ("node", "npm", "redis-server")

    async def setUp(self) -> None:
        if reason := missing_programs(*self.programs):
            if os.environ.get("CI") == "true":
                self.fail(reason)
            raise SkipTest(reason)
        if "npm" in self.programs:
            # Nothing was awaited yet: trial's clock for setUp does not run, npm may be slow.
            install_packages()

    def new_directory(self) -> Path:
        """A new directory, gone after the test; trial's ``mktemp`` would litter the checkout."""
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        return Path(made.name)

    async def started(self, program: ProgramT) -> ProgramT:
        """The program, running, and ended after the test whatever happens."""
        self.addCleanup(program.close)
        await program.start()
        return program


class NodeServerTestCase(InteropTestCase):
    """With a Redis and the real Node server, both fresh for each test."""

    async def setUp(self) -> None:
        await super().setUp()
        self.redis = await self.started(Redis())
        self.node = await self.started(NodeServer(self.redis, PING="1"))

    def client(self, host: str | None = None, **options: Any) -> TokenSocket:
        """A started client of that host, or of ``self.node``, ended after the test."""
        options.setdefault("call_timeout", EVENT_SECONDS)
        options.setdefault("backoff", Backoff(cap=0.25))
        socket = TokenSocket(host or self.node.url, reactor=reactor, **options)
        self.addCleanup(socket.end)
        socket.startService()
        return socket

    async def ready_client(self, host: str | None = None, **options: Any) -> TokenSocket:
        """The same, authenticated."""
        socket = self.client(host, **options)
        await within(socket.when_ready(fail_after=1))
        return socket

    async def failure_of(self, awaitable: Awaitable[Any], *kinds: type[Exception]) -> Any:
        """The exception of one of these types that the awaitable must end with."""
        return await self.assertFailure(within(awaitable), *kinds)


class Heard(list[tuple[Any, ...]]):
    """A listener that keeps what it is called with, one tuple of arguments a call."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[int, Deferred[None]]] = []

    def __call__(self, *arguments: Any) -> None:
        self.append(arguments)
        for count, waiting in self._waiting:
            if len(self) >= count and not waiting.called:
                waiting.callback(None)

    async def until(self, count: int) -> Heard:
        """Itself, when it was called that often.  Fails in bounded time, with what it has."""
        if len(self) < count:
            waiting: Deferred[None] = Deferred()
            self._waiting.append((count, waiting))
            try:
                await within(waiting)
            except TimeoutError:
                raise AssertionError(f"expected {count} calls, heard {list(self)}") from None
        return self


def within(awaitable: Awaitable[T], seconds: float = EVENT_SECONDS) -> Deferred[T]:
    """
    :return: fires as the awaitable does; fails with Twisted's ``TimeoutError`` after that
        time, when the awaitable is cancelled.
    """

    async def waiting() -> T:
        return await awaitable

    return Deferred.fromCoroutine(waiting()).addTimeout(seconds, reactor)


async def until(
    condition: Callable[[], Any],
    what: Callable[[], Any] | str = "",
    seconds: float = EVENT_SECONDS,
) -> Any:
    """
    Wait for something that nobody announces.

    :param condition: asked again and again; it may be a coroutine function.
    :param what: does not come, for the error, or gives a text about that.
    :return: what the condition gave, which is true.  Fails in bounded time.
    """
    end = reactor.seconds() + seconds
    while True:
        found = condition()
        if hasattr(found, "__await__"):
            found = await within(found, seconds)
        if found:
            return found
        if reactor.seconds() > end:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {seconds:g} seconds: {text}")
        await deferLater(reactor, 0.02)
