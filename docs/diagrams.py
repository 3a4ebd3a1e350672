"""
Diagrams that are drawn of the package itself: ``.. diagram:: rooms`` and ``.. diagram:: phases``.

``rooms`` has an arrow for each room that imports another, but for what follows from others;
``phases`` has those of an attempt to connect, with their deadlines.
"""

from __future__ import annotations

import ast
from html import escape
from pathlib import Path
from typing import get_args

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import txtokensock
from txtokensock import Timeouts
from txtokensock.errors import Phase

__all__ = ["BASE", "ROWS", "Diagram", "imports", "phases", "rooms"]

BASE = ("errors", "support", "address", "jsontext", "actions", "version")
"""What every room may import; it is one box."""

_BASE_BOX = "errors, support, address, jsontext, actions"

ROWS: tuple[dict[str, float], ...] = (
    {"testing": 0.2, "tap": 0.5, "cli": 0.85},
    {"bridge": 0.8},
    {"server": 0.2, "client": 0.5},
    {"sockjs": 0.55, "config": 0.85},
    {"messages": 0.15, "web": 0.6},
    {_BASE_BOX: 0.4},
)
"""The boxes from top to bottom, each with its place from left to right: arrows go down."""

_WHAT = {
    "token": "a token is bought over HTTP",
    "connect": "TCP and TLS",
    "handshake": "the WebSocket, or a first request",
    "open": "SockJS's frame o",
    "auth": "the token, and its answer",
}

_WIDTH, _ROW, _HEIGHT = 700, 84, 36


def imports() -> set[tuple[str, str]]:
    """Pairs of boxes of which the first imports the second."""
    root = Path(txtokensock.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        folder = path.relative_to(root).parts
        if len(folder) > 1 or path.stem in BASE:  # the face of the package stands above all
            here = _box(folder[0].removesuffix(".py"))
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.level:
                    base = [*folder[: len(folder) - node.level], *(node.module or "").split(".")]
                    names = [base[0]] if base[0] else [alias.name for alias in node.names]
                    found |= {(here, _box(name)) for name in names if (root / name).exists()}
                    found |= {(here, _BASE_BOX) for name in names if name in BASE}
    return {(one, other) for one, other in found if one != other}


def _box(room: str) -> str:
    return _BASE_BOX if room in BASE else room


def _drawn() -> list[tuple[str, str]]:
    """The imports that do not follow from others."""
    pairs = imports()
    below: dict[str, set[str]] = {}
    for row in reversed(ROWS):
        for box in row:
            direct = {other for one, other in pairs if one == box}
            below[box] = direct.union(*(below[other] for other in direct))
    return sorted(
        (one, other)
        for one, other in pairs
        if not any(other in below[third] for first, third in pairs if first == one)
    )


def rooms() -> str:
    """The rooms and who imports whom, in SVG."""
    places = {
        box: (place * _WIDTH, depth * _ROW + _HEIGHT / 2 + 2)
        for depth, row in enumerate(ROWS)
        for box, place in row.items()
    }
    lines = []
    for one, other in _drawn():
        (left, top), (right, bottom) = places[one], places[other]
        lines.append(
            f'<line x1="{left:.0f}" y1="{top + _HEIGHT / 2:.0f}" x2="{right:.0f}"'
            f' y2="{bottom - _HEIGHT / 2 - 3:.0f}" marker-end="url(#tip)"/>'
        )
    boxes = [_drawn_box(x, y, box) for box, (x, y) in places.items()]
    label = "; ".join(f"{one} imports {other}" for one, other in _drawn())
    return _svg(label, (len(ROWS) - 1) * _ROW + _HEIGHT + 4, [*lines, *boxes])


def phases() -> str:
    """The phases of an attempt to connect, in SVG."""
    names, deadlines, parts = get_args(Phase), Timeouts(), []
    step = _WIDTH / len(names)
    for number, name in enumerate(names):
        x = (number + 0.5) * step
        parts.append(_drawn_box(x, 20, name, step - 28))
        for depth, text in enumerate((_WHAT[name], f"{getattr(deadlines, name):g} s")):
            parts.append(
                f'<text x="{x:.0f}" y="{58 + 18 * depth}" font-size="9.5">{escape(text)}</text>'
            )
        if number:
            start, end = x - step / 2 - 14, x - step / 2 + 11
            parts.append(
                f'<line x1="{start:.0f}" y1="20" x2="{end:.0f}" y2="20" marker-end="url(#tip)"/>'
            )
    return _svg(f"The phases {', '.join(names)}, one after the other", 84, parts)


def _drawn_box(x: float, y: float, text: str, width: float | None = None) -> str:
    width = width or len(text) * 8 + 30
    return (
        f'<rect x="{x - width / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{width:.0f}"'
        f' height="{_HEIGHT}" rx="5" fill="none"/>'
        f'<text x="{x:.0f}" y="{y + 5:.0f}" font-size="14">{escape(text)}</text>'
    )


def _svg(label: str, height: float, parts: list[str]) -> str:
    return (
        '<div style="overflow-x: auto">'  # on a phone it is as wide as its text can be read
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {_WIDTH} {height:.0f}"'
        ' style="width: 100%; min-width: 38em; font-family: sans-serif" stroke="currentColor">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8Z" fill="currentColor"/>'
        "</marker></defs>"
        f'<g text-anchor="middle">{"".join(parts)}</g></svg></div>'
    ).replace("<text ", '<text stroke="none" fill="currentColor" ')


class Diagram(SphinxDirective):
    """``.. diagram:: NAME``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Put it into the page."""
        draw = {"rooms": rooms, "phases": phases}[self.arguments[0]]
        return [nodes.raw("", draw(), format="html")]
