"""Where options are in a document."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.config.lines import nearest, option_lines

DOCUMENT = '''\
# a comment
top = 1

[a]
text = """
b = 3
[c]
"""
several = [
  1, # ]
  2,
]
inline = { x = 1, y = { z = 2 } }
dotted.key = 1

[[a.rules]]
name = "one"
[a.rules.backoff]
first = 1
[[a.rules]]

name = "two"
[[a.rules.inner]]
x = 1
[[a.rules.inner]]
x = 2
["q.r"]
x = 1
'''


class LinesTests(SynchronousTestCase):
    """Every way in which TOML writes an option."""

    def test_lines(self) -> None:
        """Each option has the line on which it begins, however long it is."""
        lines = option_lines(DOCUMENT)
        for path, line in {
            "top": 2,
            "a": 4,
            "a.text": 5,
            "a.several": 9,
            "a.inline": 13,
            "a.inline.y.z": 13,
            "a.dotted.key": 14,
            "a.rules[0]": 16,
            "a.rules[0].name": 17,
            "a.rules[0].backoff.first": 19,
            "a.rules[1]": 20,
            "a.rules[1].name": 22,
            "a.rules[1].inner[0].x": 24,
            "a.rules[1].inner[1].x": 26,
            "q.r.x": 28,
        }.items():
            self.assertEqual((path, lines.get(path)), (path, line))
        self.assertNotIn("a.b", lines)
        self.assertNotIn("c", lines)

    def test_nearest(self) -> None:
        """What is missing is missed where the table is in which it should be."""
        lines = option_lines(DOCUMENT)
        for path, line in (
            ("a.rules[1].url", 20),
            ("a.rules[1].inner[1].x.y", 26),
            ("a.several[1]", 9),
            ("b", None),
            ("b.c", None),
        ):
            self.assertEqual((path, nearest(path, lines)), (path, line))

    def test_examples(self) -> None:
        """Files as people write them are read to the end."""
        for path in (Path(__file__).parents[2] / "examples").glob("*.toml"):
            text = path.read_text(encoding="utf-8")
            last = max(n for n, line in enumerate(text.splitlines(), 1) if "=" in line)
            self.assertGreaterEqual(max(option_lines(text).values()), last - 3, path)
