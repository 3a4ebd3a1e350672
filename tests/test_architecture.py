"""
The page that says what is where agrees with what is there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

import txtokensock
from txtokensock import Timeouts
from txtokensock.errors import Phase

ROOT = Path(txtokensock.__file__).parent
PAGE = ROOT.parent / "docs" / "architecture.rst"

FOREIGN = {"NoTransition", "StringTransport"}
"""Names of Automat and Twisted that the text has, and the package does not use."""

_FILE = re.compile(r"\b\w+\.py\b")
_ROOM = re.compile(r" *(\w+)/(?= |$)")


def rooms(page: str) -> Iterator[tuple[Path, set[str]]]:
    """
    Each room of the page's first block, and the files that are named in its lines.

    A line that begins with a name and a slash opens a room, inside of the last one that is
    less indented.
    """
    block = page.split(".. code-block:: text\n", 1)[1].split("\nImports go", 1)[0]
    inside: list[tuple[int, Path]] = []
    for line in block.splitlines():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        while inside and inside[-1][0] >= depth:
            inside.pop()
        opened = _ROOM.match(line)
        if opened:
            inside.append((depth, inside[-1][1] / opened[1] if inside else Path()))
        yield inside[-1][1], set(_FILE.findall(line))


class ArchitectureTests(SynchronousTestCase):
    """``docs/architecture.rst``."""

    def setUp(self) -> None:
        self.page = PAGE.read_text(encoding="utf-8")

    def test_files_exist(self) -> None:
        """Every file that the list of rooms names is in the room where it is named."""
        missing = {
            str(room / name)
            for room, names in rooms(self.page)
            for name in names
            if not (ROOT / room / name).is_file()
        }
        self.assertEqual(missing, set())

    def test_every_room_is_named(self) -> None:
        """Every package is in the list, and the list has no other."""
        there = {path.parent.relative_to(ROOT) for path in ROOT.rglob("*.py")}
        self.assertEqual({room for room, _ in rooms(self.page)}, there)

    def test_modules_in_the_text_exist(self) -> None:
        """Every module that the text names is in the package, or where the text says."""
        named = set(re.findall(r"``([\w/]+\.py)``", self.page))
        missing = [
            name
            for name in sorted(named)
            if not (ROOT.parent / name).is_file() and not any(ROOT.rglob(name))
        ]
        self.assertEqual(missing, [])

    def test_classes_in_the_text_exist(self) -> None:
        """Every name that looks like a class's is used in the package, or is foreign."""
        named = set(re.findall(r"``([A-Z][a-z]+[A-Z]\w+)(?:\.\w+)*``", self.page))
        source = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py"))
        known = set(re.findall(r"\b\w+\b", source))
        self.assertEqual(named - known - FOREIGN, set())


class DiagramTests(SynchronousTestCase):
    """The diagrams of the page are drawn of the package."""

    def setUp(self) -> None:
        try:
            with mock.patch.object(sys, "path", [*sys.path, str(PAGE.parent)]):
                self.diagrams: Any = import_module("diagrams")
        except ModuleNotFoundError as problem:
            self.skipTest(f"{problem.name} is not installed")

    def test_rooms(self) -> None:
        """Each room has one box, and each import goes down."""
        depth = {box: row for row, boxes in enumerate(self.diagrams.ROWS) for box in boxes}
        self.assertEqual(sum(map(len, self.diagrams.ROWS)), len(depth))
        folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
        (base,) = self.diagrams.ROWS[-1]
        self.assertEqual({*depth, "support"} - {base}, folders)
        for one, other in self.diagrams.imports():
            self.assertLess(depth[one], depth[other], (one, other))

    def test_drawn(self) -> None:
        """What is drawn has all rooms, all phases and their deadlines; there are arrows."""
        rooms, phases = self.diagrams.rooms(), self.diagrams.phases()
        for row in self.diagrams.ROWS:
            for box in row:
                self.assertIn(f">{box}</text>", rooms)
        self.assertIn("server imports sockjs", rooms)
        self.assertGreaterEqual(rooms.count("<line "), 10)
        for phase in get_args(Phase):
            self.assertIn(f">{phase}</text>", phases)
            self.assertIn(f">{getattr(Timeouts(), phase):g} s</text>", phases)


class ExamplesTests(SynchronousTestCase):
    """``docs/examples.rst``."""

    def test_every_example(self) -> None:
        """It has each file of the examples, and no other."""
        folder = ROOT.parent / "examples"
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
        listed = re.findall(r"<../examples/(\S+)>", (PAGE.parent / "examples.rst").read_text())
        self.assertEqual(
            sorted(listed), sorted(name for name in found if "__pycache__" not in name)
        )
