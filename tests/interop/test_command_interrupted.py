"""``tokensock``, and Ctrl-C before it does anything."""

from __future__ import annotations

import subprocess
import sys

from twisted.internet.threads import deferToThread

from .children import EVENT_SECONDS
from .support import InteropTestCase, within
from .test_commands import BIN

INTERRUPTED = """
import os, runpy, signal, sys

class Interruption:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # as in the foreground
sys.meta_path.insert(0, Interruption)
_, module, script = sys.argv[:3]
del sys.argv[:2]
runpy.run_path(script, run_name="__main__")
"""
"""Runs a script whose process gets SIGINT when it is about to import a module."""


class InterruptedTests(InteropTestCase):
    """However early it comes, nothing is said."""

    programs = ()

    async def interrupted(self, module: str) -> tuple[bytes, bytes, int]:
        """What the command prints, says, and its exit status as a shell has it."""
        # Twisted's own ways to get a process's output do not say which signal ended it.
        done = await within(
            deferToThread(
                subprocess.run,
                [sys.executable, "-c", INTERRUPTED, module, str(BIN / "tokensock"), "rpc", "f"],
                capture_output=True,
                timeout=EVENT_SECONDS,
                check=False,
            )
        )
        status = done.returncode
        return done.stdout, done.stderr, status if status >= 0 else 128 - status

    async def test_while_importing(self) -> None:
        """At the first module, at one of its own, and at the reactor, which is last."""
        for module in ("txtokensock", "txtokensock.cli", "treq", "twisted.internet.reactor"):
            self.assertEqual(await self.interrupted(module), (b"", b"", 130), module)
