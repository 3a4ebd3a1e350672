"""
The page about failures of the network says what the tests see.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from . import healthy, page

PAGE = Path(__file__).parents[2] / "docs" / "network-failures.rst"


class PageTests(SynchronousTestCase):
    """``docs/network-failures.rst``."""

    def test_tables(self) -> None:
        """They are those of the tests, with the errors, seconds, options and sizes in there."""
        text = PAGE.read_text(encoding="utf-8")
        for of in (page, healthy):
            _, _, rest = text.partition(f"{of.BEGIN}\n\n")
            shown, _, _ = rest.partition(f"\n{of.END}\n")
            self.assertEqual(
                shown, of.table(), "python -m tests.faults.page prints what it must be"
            )

    def test_names(self) -> None:
        """The tests that are named are there."""
        self.assertEqual(healthy.missing(), [])
