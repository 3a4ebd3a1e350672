"""
What the manual says of data is so.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Raw

from txtokensock.errors import InvalidData
from txtokensock.jsontext import dumps

from ..common import ServerTestCase

MANUAL = (Path(__file__).parents[2] / "docs" / "client.rst").read_text(encoding="utf-8")


class Markup(str):
    """As that of markupsafe."""


class Float64(float):
    """As that of numpy."""


class Colour(Enum):
    """An enumeration."""

    RED = "red"


@dataclass
class Point:
    """A dataclass."""

    x: int
    y: int


class Pair(NamedTuple):
    """A named tuple."""

    first: int
    second: int


NAMES: dict[str, Any] = {
    each.__name__: each
    for each in (
        *(Markup, Colour, Point, Pair, HTTPStatus, Raw, UUID, Decimal),
        *(date, datetime, time, timedelta, deque),
    )
} | {"UTC": UTC, "float64": Float64}


def section() -> str:
    """The one about data."""
    return MANUAL.partition("\nData\n----\n")[2].partition("\n\n\n")[0]


def rows() -> Iterator[tuple[str, str]]:
    """What it has in its table: Python, and JSON."""
    _, _, table, _ = re.split(r"^=+  =+$", section(), flags=re.MULTILINE)
    for line in table.strip().splitlines():
        left, right = re.fullmatch(r"(``.*?)  +(``.*)", line).groups()  # type: ignore[union-attr]
        (text,) = re.findall(r"``(.+?)``", right)
        examples = re.findall(r"``(.+?)``", left)
        for example in examples:
            if example not in ("str", "float", "int", "Enum"):
                yield example, text


class DataTests(ServerTestCase):
    """The table, and the list of what is refused."""

    def test_table(self) -> None:
        """Each example is sent as what stands beside it, at any depth."""
        found = list(rows())
        self.assertGreater(len(found), 20)
        for example, text in found:
            value = eval(example, NAMES)
            self.assertEqual(dumps(value).decode(), text, example)
            self.assertEqual(dumps([{"a": value}]).decode(), f'[{{"a":{text}}}]', example)

    def test_everywhere(self) -> None:
        """It holds for calls, messages and the results of actions."""
        values = [eval(example, NAMES) for example, _ in rows()]
        texts = [text for _, text in rows()]
        client = self.ready(actions={"get": lambda _: values})
        self.session.call("get")
        client.rpc("f", values).addErrback(lambda _: None)
        client.publish("c", values)
        client.broadcast(values)
        self.settle()
        wire = f"[{','.join(texts)}]"
        for text in self.session.texts[1:]:
            self.assertIn(wire, text)
        self.assertEqual(len(self.session.texts), 5)

    def test_refused(self) -> None:
        """Each example that is said to be refused is, and nothing is sent."""
        client = self.ready()
        examples = re.findall(r"``(.+?)``", section().rpartition("every other object:")[2])
        self.assertEqual(len(examples), 5)
        for example in examples:
            value = eval(example, NAMES)
            self.failure(client.rpc("f", [value]), InvalidData)
            self.failure(client.publish("c", value), InvalidData)
        self.settle()
        self.assertEqual(self.session.received, [])
