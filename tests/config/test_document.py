"""A document into sections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.config.document import ConfigError, Document
from txtokensock.config.section import Problem, Section


class Inner(Section, frozen=True):
    """A table in a table."""

    size: int = 1
    names: tuple[str, ...] = ()


class Outer(Section, frozen=True):
    """A section."""

    name: str
    size: int = 1
    inner: tuple[Inner, ...] = ()


def too_small(section: Outer, path: str) -> Iterator[Problem]:
    """A check of values."""
    if section.size < 1:
        yield Problem(f"{path}.size", "is too small")


class DocumentTests(SynchronousTestCase):
    """What is right comes back, what is wrong is said."""

    def convert(self, text: str) -> tuple[dict[str, Any], list[str]]:
        """The good sections, and what is said about the others."""
        document = Document(text, "f.toml")
        good, found = document.convert({"outer": (Outer, too_small)})
        return good, [str(problem) for problem in document.placed(found)]

    def test_good(self) -> None:
        """A section becomes its struct."""
        good = self.convert('[outer]\nname = "a"\n')
        self.assertEqual(good, ({"outer": Outer(name="a")}, []))

    def test_every_type(self) -> None:
        """Each value of a wrong type is said, with its line, and not the first alone."""
        good, said = self.convert(
            '[outer]\nname = 1\nsize = "x"\nsise = 2\n'
            '[[outer.inner]]\nsize = 2\n[[outer.inner]]\nsize = "y"\nnames = [1, "n", 2]\n'
        )
        self.assertEqual(good, {})
        self.assertEqual(
            sorted(said),
            [
                "f.toml:2: outer.name: expected text, got whole number",
                "f.toml:3: outer.size: expected whole number, got text",
                "f.toml:4: outer.sise: is not an option: is it size?",
                "f.toml:8: outer.inner[1].size: expected whole number, got text",
                "f.toml:9: outer.inner[1].names[0]: expected text, got whole number",
            ],
        )

    def test_values(self) -> None:
        """What only a check finds has its line, too; what is missing that of its table."""
        self.assertEqual(
            self.convert('[outer]\nname = ""\n\nsize = 0')[1],
            ["f.toml:4: outer.size: is too small"],
        )
        self.assertEqual(
            self.convert("\n[outer]\nsize = 0")[1], ["f.toml:2: outer.name: is missing"]
        )
        self.assertEqual(self.convert("outer = 3")[1][0][:30], "f.toml:1: outer: is not a tabl")

    def test_not_toml(self) -> None:
        """The file is named once, and the line by who reads TOML."""
        error = self.assertRaises(ConfigError, Document, "\na = \n", "f.toml")
        self.assertRegex(str(error), r"^f\.toml: is not valid TOML: .*line 2")
