"""
The Python of README, docs and examples, as programs that a type checker can read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent

__all__ = ["ROOT", "blocks", "whole_programs", "write_programs"]

ROOT = Path(__file__).parents[2]

# What the fragments of the pages take for granted.
_NAMES = (Path(__file__).parent / "names.py").read_text(encoding="utf-8")


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """The Python blocks of a page: the line at which each begins, and what it holds."""
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S):
        yield text.count("\n", 0, match.start(1)) + 1, match[1]
    for match in re.finditer(r"^\.\. code-block:: python\n\n((?: +.*\n|\n)+)", text, re.M):
        yield text.count("\n", 0, match.start(1)) + 1, dedent(match[1]).strip() + "\n"


def whole_programs(text: str) -> Iterator[tuple[str, str]]:
    """The blocks of a page that have a caption, which is their name."""
    pattern = r"^\.\. code-block:: python\n   :caption: (\S+)\n\n((?: +.*\n|\n)+)"
    for match in re.finditer(pattern, text, re.M):
        yield match[1], dedent(match[2])


def _fragments(text: str) -> str:
    """Each block in a coroutine of its own, for what they await and the names they set."""
    functions = (
        f"async def line_{line}() -> None:\n{indent(block, '    ')}"
        for line, block in blocks(text)
    )
    return "\n\n".join([_NAMES, *functions])


def write_programs(folder: Path) -> dict[str, Path]:
    """
    Write a program for each page and each example into ``folder``.

    :return: where each is, by the name of its source.
    """
    programs = {}
    for source in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.rst"))]:
        text = source.read_text(encoding="utf-8")
        if any(blocks(text)):
            programs[source.name] = folder / f"page_{source.stem.replace('-', '_')}.py"
            programs[source.name].write_text(_fragments(text), encoding="utf-8")
        for name, program in whole_programs(text):
            programs[name] = folder / name.replace(".tac", "_tac.py")
            programs[name].write_text(program, encoding="utf-8")
    for source in sorted((ROOT / "examples").rglob("*")):
        if source.suffix in (".py", ".tac"):
            programs[source.name] = folder / f"{source.name.replace('.tac', '_tac.py')}"
            programs[source.name].write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    return programs
