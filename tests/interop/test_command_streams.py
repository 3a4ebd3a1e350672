"""``tokensock`` where its output goes nowhere, or not as it is."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from .support import InteropTestCase, within
from .twistd import Serve, script


class StreamTests(InteropTestCase):
    """Whatever becomes of its streams, it says what it can and has an exit status."""

    programs = ()

    async def setUp(self) -> None:
        await super().setUp()
        self.server = await self.started(Serve())

    async def outcome(self, redirection: str, *arguments: str, **env: str) -> tuple[str, str, int]:
        """``tokensock`` behind a shell's redirection."""
        command = [script("tokensock"), *arguments, f"--host=127.0.0.1:{self.server.port}"]
        shell = ["-c", f'exec "$@" {redirection}', "sh", *command]
        out, err, status = await within(
            getProcessOutputAndValue("/bin/sh", shell, env=env, reactor=reactor)
        )
        return out.decode(), err.decode(), status

    async def test_nowhere_to_write(self) -> None:
        """An answer that cannot be written is one line on stderr, and exit status 1."""
        for redirection, problem in (
            (">&-", "Bad file descriptor"),
            (">/dev/full", "No space left on device"),
        ):
            self.assertEqual(
                await self.outcome(redirection, "rpc", "echo", "1"),
                ("", f"tokensock: cannot write to stdout: {problem}\n", 1),
            )

    async def test_nowhere_to_complain(self) -> None:
        """What is for people never goes to stdout."""
        for redirection in ("2>&-", "2>/dev/full"):
            self.assertEqual(await self.outcome(redirection, "rpc", "missing"), ("", "", 1))
            self.assertEqual(await self.outcome(redirection, "rpc", "echo"), ("null\n", "", 0))

    async def test_locale(self) -> None:
        """JSON is in UTF-8, whatever the locale has."""
        outcome = await self.outcome(
            "", "rpc", "echo", '"\\u20ac"', PYTHONIOENCODING="ascii", LC_ALL="C"
        )
        self.assertEqual(outcome, ('"€"\n', "", 0))
