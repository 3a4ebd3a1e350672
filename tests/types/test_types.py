"""
README, docs and examples are clean for mypy and for pyright, as users have them: strict, and
without a plugin for zope's interfaces.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copy, rmtree, which

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .pages import ROOT, blocks, whole_programs, write_programs

_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}


class CheckerTests(SynchronousTestCase):
    """The programs, and what two type checkers say of them."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(rmtree, self.folder)
        self.programs = [path.name for path in write_programs(self.folder).values()]
        copy(Path(__file__).parent / "usage.py", self.folder)
        self.programs.append("usage.py")

    def run_checker(self, name: str, *options: str) -> None:
        """Run a module of this Python on all programs; it must not complain."""
        done = subprocess.run(
            [sys.executable, "-m", name, *options, *self.programs],
            cwd=self.folder,
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
        )
        if f"No module named {name}" in done.stderr:
            self.missing(name)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def missing(self, program: str) -> None:
        """Skip this test, or fail it in CI, where all must be there."""
        if os.environ.get("CI") == "true":
            self.fail(f"{program} is not installed")
        raise SkipTest(f"needs {program}, which is not installed")

    def test_mypy(self) -> None:
        """
        Strict, without configuration; Twisted and Autobahn themselves have functions without
        types, which only their authors can change.
        """
        self.run_checker(
            "mypy",
            "--strict",
            "--config-file=",
            f"--cache-dir={ROOT / '.mypy_cache' / 'users'}",
            "--untyped-calls-exclude=twisted",
            "--untyped-calls-exclude=autobahn",
        )

    def test_pyright(self) -> None:
        """With its own defaults."""
        if which("node") is None:  # in which it is written
            self.missing("node")
        self.run_checker("pyright", "--pythonpath", sys.executable)


class PageTests(SynchronousTestCase):
    """How the programs come out of the pages."""

    def test_every_block(self) -> None:
        """No block of any page is passed over."""
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.rst")]:
            text = page.read_text(encoding="utf-8")
            begun = text.count("```python\n") + text.count(".. code-block:: python\n")
            found = [*blocks(text), *whole_programs(text)]
            self.assertEqual(len(found), begun, page.name)

    def test_blocks(self) -> None:
        """A block ends where the page goes on, and is known by its line."""
        page = "Text.\n\n.. code-block:: python\n\n   def f():\n\n       return 1\n\nMore.\n"
        self.assertEqual(list(blocks(page)), [(5, "def f():\n\n    return 1\n")])
        self.assertEqual(list(blocks("a\n```python\nb\n```\n")), [(3, "b\n")])
