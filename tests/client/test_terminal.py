"""
What a server says ends up in logs and on terminals.
"""

from __future__ import annotations

from ..common import Calls
from .support import RPCTestCase

COMMANDS = "\x1b[2J\x9b31m\x07\x00\u202e\ud800"
"""Clear the screen, colours, the bell, NUL, and what turns text around."""


class TerminalTests(RPCTestCase):
    """Texts of errors hold nothing that a terminal obeys, or that cannot be printed."""

    def test_answers(self) -> None:
        """Errors of calls; ``.error`` is as it was sent."""
        problem = self.error_of(f"no{COMMANDS}!")
        self.assertEqual(str(problem), "rpc 'f': no\ufffd[2J\ufffd31m\ufffd\ufffd\ufffd\ufffd!")
        self.assertEqual(problem.error, f"no{COMMANDS[:-1]}\ufffd!")
        self.assertTrue(str(self.error_of({"message": COMMANDS * 1000})).isprintable())

    def test_close(self) -> None:
        """Reasons of closes."""
        lost = Calls()
        self.socket.on("disconnect", lost)
        self.session.close(3000, f"go{COMMANDS}")
        self.settle()
        self.assertIn("go\ufffd", str(lost[0]))
        self.assertTrue(str(lost[0]).isprintable())
