"""
The page about failures of the network says what the tests see.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .page import BEGIN, END, table

PAGE = Path(__file__).parents[2] / "docs" / "network-failures.rst"


class PageTests(SynchronousTestCase):
    """``docs/network-failures.rst``."""

    def test_table(self) -> None:
        """Its table is that of the faults, with the errors, seconds and options in there."""
        text = PAGE.read_text(encoding="utf-8")
        _, _, rest = text.partition(f"{BEGIN}\n\n")
        shown, _, _ = rest.partition(f"\n{END}\n")
        self.assertEqual(shown, table(), "python -m tests.faults.page prints what it must be")
