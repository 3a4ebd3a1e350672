"""
What is no failure in ``docs/network-failures.rst``, with the numbers and the names of the tests
that show it.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from .page import row

__all__ = ["BEGIN", "END", "missing", "table"]

_ROOT = Path(__file__).parents[2]
_MEMORY = "tests/faults/test_slow_links.py"
_REAL = "tests/interop/faults/test_slow_links.py"

BEGIN = ".. The second table begins; the same command prints it."
END = ".. The second table ends."

HEALTHY: list[tuple[str, str, list[str]]] = [
    (
        "a link of {speeds} kB/s in each direction: a call of {size:g} MB, an answer of as much,"
        " or a hundred calls of 20 kB that wait for each other",
        "bytes of a message that grows are signs of life; a ping has the time that 25 kB/s take"
        " for what was sent before it, and so have a request with messages and the next poll",
        [f"{_MEMORY}::SlowLinkTests::{name}" for name in ("test_up", "test_down", "test_many")],
    ),
    (
        "real TCP, through a relay: {links}, up and back again; through TLS as well",
        "the same, with what the kernel holds",
        [
            f"{_REAL}::SlowLinkTests::{name}"
            for name in ("test_both_ways", "test_many_messages", "test_tls")
        ],
    ),
    (
        "a handler that blocks the reactor for longer than every deadline",
        "deadlines are judged after the network was read once more: a call whose answer has come"
        " does not time out",
        [f"{_REAL}::HeldUpTests::test_blocked"],
    ),
    (
        "a client that is stopped (``SIGSTOP``) for longer than its deadlines, and continued",
        "the same",
        [f"{_REAL}::HeldUpTests::test_stopped"],
    ),
    (
        "a wall clock that is set back or forward",
        "the reactor's seconds are those of the monotonic clock",
        ["tests/support/test_steady_clock.py"],
    ),
]
"""What costs no connection: in words, why, and the tests that show it."""


def table() -> str:
    """The table of what is no failure, as reStructuredText."""
    constants = {name: _constant(_MEMORY, name) for name in ("SPEEDS", "LARGE")}
    links = [f"{size / 1e6:g} MB at {speed} kB/s" for speed, size in _constant(_REAL, "LINKS")]
    filled = {
        "speeds": _and([f"{speed // 1000}" for speed in constants["SPEEDS"]]),
        "size": constants["LARGE"] / 1e6,
        "links": _and(links),
    }
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 40 40 20", ""]
    lines += row("What happens", "Why the connection stays", "Shown by")
    for what, why, tests in HEALTHY:
        names = ", ".join(f"``{test.rpartition('::')[2]}``" for test in tests)
        lines += row(what.format(**filled), why, names)
    return "\n".join(lines) + "\n"


def _and(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _constant(path: str, name: str) -> Any:
    """A literal of a test, which need not be imported for that."""
    for node in ast.parse((_ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [name]:
            return ast.literal_eval(node.value)
    raise LookupError(f"{path} has no {name}")


def missing() -> list[str]:
    """Tests that the table names, and that there are not."""
    return [test for _, _, tests in HEALTHY for test in tests if not _exists(test)]


def _exists(test: str) -> bool:
    path, *names = test.split("::")
    body: list[ast.stmt] = ast.parse((_ROOT / path).read_text(encoding="utf-8")).body
    for name in names:
        found = [one for one in body if getattr(one, "name", None) == name]
        if not found:
            return False
        body = getattr(found[0], "body", [])
    return True
