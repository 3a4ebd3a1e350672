"""
JSON as the wire has it.
"""

from __future__ import annotations

import gc
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.turns import python_calls
from txtokensock.errors import InvalidData
from txtokensock.jsontext import Malformed, decoder, dumps, loads, nested_deeper_than
from txtokensock.messages.from_server import encode_answer

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=10,
)


@dataclass
class Point:
    """Something that is not JSON by itself."""

    x: Any


class Text(str):
    """Text that shows itself otherwise, as ``numpy.str_`` and ``markupsafe.Markup`` may."""

    def __str__(self) -> str:
        return "shown"

    __repr__ = __str__


class Whole(int):
    """A whole number that does, too."""

    def __repr__(self) -> str:
        return "shown"

    def __index__(self) -> int:
        return 0


class Real(float):
    """As ``numpy.float64`` is one: its ``repr`` is no JSON."""

    def __repr__(self) -> str:
        return f"Real({float(self)})"


class DumpsTests(SynchronousTestCase):
    """Writing."""

    def test_compact(self) -> None:
        """No spaces, UTF-8, the order of the caller."""
        self.assertEqual(
            dumps({"b": [1, None], "a": "é\u2028"}), '{"b":[1,null],"a":"é\u2028"}'.encode()
        )

    def test_more_types(self) -> None:
        """What has an obvious JSON form."""
        moment = datetime(2020, 1, 2, tzinfo=UTC)
        for value, text in (
            ((1, 2), b"[1,2]"),
            (Point(1), b'{"x":1}'),
            (UUID(int=0), b'"00000000-0000-0000-0000-000000000000"'),
            (Decimal("1.5"), b'"1.5"'),
            (moment, b'"2020-01-02T00:00:00Z"'),
            (msgspec.Raw(b'{"a":1}'), b'{"a":1}'),
        ):
            self.assertEqual(dumps(value), text)

    def test_subclasses(self) -> None:
        """
        Those of text and numbers, as numpy and markupsafe have them, are written as
        ``json.dumps`` writes them, at every depth, and as keys.
        """
        for value in (Text("é"), Whole(7), Whole(2**70), Real(-0.0), Real(0.1), Real(123.25)):
            for data in (
                value,
                [None, (value,)],
                {"a": {"b": [value]}},
                {value: value},
                [{value: None}],
                {"null": {value: 1}},
            ):
                self.assertEqual(json.loads(dumps(data)), json.loads(json.dumps(data)))
                self.assertIs(type(loads(dumps(value))), type(value).__base__)
        self.assertEqual(dumps(Point(Text("x"))), b'{"x":"x"}')

    def test_subclasses_that_are_no_numbers(self) -> None:
        """NaN stays refused, whoever's it is."""
        for number in (Real("nan"), Real("inf"), Real("-inf")):
            for value in (number, [number], {"a": [None, number]}, Point(number), {number: 1}):
                self.assertRaises(InvalidData, dumps, value)

    def test_keys(self) -> None:
        """Keys that are no text become text, as in ``json.dumps`` where that takes them."""
        for key in (True, False, None, 1, -1.5, Whole(1), Real(1.5), Text("x")):
            for value in (1, None):
                data = {key: value}
                self.assertEqual(json.loads(dumps(data)), json.loads(json.dumps(data)), key)
        self.assertRaises(InvalidData, dumps, {(): 1})

    def test_not_a_number(self) -> None:
        """NaN and the infinities, wherever they are, also beside a null."""
        for number in (float("nan"), float("inf"), float("-inf")):
            for value in (number, [number], {"a": [None, number]}, Point(number), (1, number)):
                self.assertRaises(InvalidData, dumps, value)
        self.assertEqual(dumps(["null", None, Point(None)]), b'["null",null,{"x":null}]')

    def test_no_json_form(self) -> None:
        """Everything else is the caller's mistake, told as one."""
        cycle: dict[str, Any] = {}
        cycle["self"] = cycle
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        for value in (object(), len, "\ud800", {"\ud800": 1}, {(1, 2): 3}, cycle, deep, 1j):
            self.assertRaises(InvalidData, dumps, value)

    def test_raw_json(self) -> None:
        """JSON that is passed through must be UTF-8, for nobody can read the rest of its frame."""
        for raw in (b'"\xff"', b'["\xc3"]', b'"\xed\xa0\x80"'):
            self.assertRaises(InvalidData, dumps, msgspec.Raw(raw))
            self.assertRaises(InvalidData, dumps, [msgspec.Raw(raw)])
        self.assertEqual(dumps([msgspec.Raw('"é"'.encode())]), '["é"]'.encode())
        self.assertEqual(dumps([msgspec.Raw(b"[null]"), None]), b"[[null],null]")
        self.assertRaises(InvalidData, dumps, [msgspec.Raw(b"[null]"), float("nan")])

    def test_raising_values(self) -> None:
        """Also where the value itself raises."""

        class Hostile(dict[str, Any]):
            def items(self) -> Any:
                raise RuntimeError("hostile")

        class Property:
            @property
            def __dataclass_fields__(self) -> Any:
                raise RuntimeError("hostile")

        self.assertRaises(InvalidData, dumps, [Property()])
        self.assertEqual(dumps(Hostile(a=1)), b'{"a":1}')

    @given(VALUES)
    def test_round_trip(self, value: Any) -> None:
        """What is written is read back, by anybody."""
        text = dumps(value)
        self.assertEqual(loads(text), value)
        self.assertEqual(json.loads(text), value)

    def test_nan_in_messages(self) -> None:
        """Beside a null in a message of ours it is refused as well, and a null is not."""
        self.assertEqual(encode_answer("f", "u", [None]), b'{"rpc":"f","uuid":"u","resp":[null]}')
        self.assertRaises(InvalidData, encode_answer, "f", "u", [None, float("nan")])


class LoadsTests(SynchronousTestCase):
    """Reading."""

    def test_half_pairs(self) -> None:
        """Half of a surrogate pair is U+FFFD; whole pairs and backslashes are themselves."""
        for text, value in (
            (rb'"\ud800"', "\ufffd"),
            (rb'"\udfff\ud800a"', "\ufffd\ufffda"),
            (rb'"\ud83d\ude00"', "😀"),
            (rb'"\uD83D\uDE00\uDE00"', "😀\ufffd"),
            (rb'"\\ud800"', r"\ud800"),
            (rb'"\\\ud800"', "\\\ufffd"),
            (rb'"\ud800\u0041"', "\ufffdA"),
            (rb'{"\ud800":1}', {"\ufffd": 1}),
        ):
            self.assertEqual(loads(text), value)

    def test_many_half_pairs(self) -> None:
        """Text of them, or of other escapes beside one, takes no function call for each."""
        for text in (
            rb"\n" * 50_000 + rb"\ud800",
            rb"\\" * 50_000 + rb"\ud800",
            rb"\u2028" * 50_000 + rb"\ud800",
            rb"\ud83d\ude00" * 50_000 + rb"\ude00",
            rb"\ud800" * 9_999,
        ):
            self.assertLess(python_calls(loads, b'["%b"]' % text), 100)
            self.assertEqual(loads(b'["%b"]' % text)[0][-1], "\ufffd")
        calls = python_calls(self.assertRaises, Malformed, loads, b'"%b"' % (rb"\ud800" * 10_000))
        self.assertLess(calls, 100)

    def test_control_characters(self) -> None:
        """What is not valid does not become so."""
        for text in (b'"\0\0ud800"', b'"\\ud800\0"', b'"\\ud800\0\0"'):
            self.assertRaises(Malformed, loads, text)

    def test_malformed(self) -> None:
        """One error for whatever is wrong, with a short text."""
        texts = [b"", b" ", b"{", b"nul", b"NaN", b"Infinity", b"'a'", b"\xff", b'"\xff"', b"1 2"]
        texts += [rb'"\ud800', rb'"\u12"', b'"\x00"', b"[" * 100_000, b'{"a":' * 100_000]
        for text in texts:
            error = self.assertRaises(Malformed, loads, text)
            self.assertLess(len(str(error)), 300)

    def test_wrong_type(self) -> None:
        """A decoder of one type refuses others, and says what differs."""
        decode = decoder(dict[str, int])
        self.assertEqual(decode(b'{"a":1}'), {"a": 1})
        for text in (b"[]", b'{"a":"1"}', b'{"a":1.5}', b"null"):
            self.assertIn("Expected", str(self.assertRaises(Malformed, decode, text)))

    @given(st.binary() | st.text('[]{}:,"\\ud8c019 tf').map(str.encode))
    def test_any_bytes(self, text: bytes) -> None:
        """Any bytes are a value or Malformed."""
        try:
            loads(text)
        except Malformed:
            return

    @given(st.lists(st.integers(0xD7F0, 0xE010)))
    def test_any_escapes(self, units: list[int]) -> None:
        """Any sequence of UTF-16 units is read as JavaScript would show it."""
        text = "".join(f"\\u{unit:04x}" for unit in units)
        # Python joins whole pairs when it decodes, and leaves halves as they are.
        joined = b"".join(unit.to_bytes(2, "big") for unit in units)
        whole = joined.decode("utf-16-be", "surrogatepass")
        expected = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in whole)
        self.assertEqual(loads(f'"{text}"'.encode()), expected)


class GarbageTests(SynchronousTestCase):
    """The garbage collector and what is decoded."""

    def setUp(self) -> None:
        self.collected: list[str] = []
        gc.callbacks.append(self.note)
        self.addCleanup(gc.callbacks.remove, self.note)

    def note(self, phase: str, info: object) -> None:
        """The collector begins, or has ended."""
        self.collected.append(phase)

    def test_large(self) -> None:
        """It does not run while a large text is decoded, and does afterwards, also of errors."""
        for text, error in (
            (b"[" + b"[]," * 100_000 + b"[]]", False),
            (b"[" + b"[]," * 100_000, True),
        ):
            gc.collect()
            self.collected.clear()
            if error:
                self.assertRaises(Malformed, loads, text)
            else:
                self.assertEqual(len(loads(text)), 100_001)
            self.assertLess(len(self.collected), 10)
            self.assertTrue(gc.isenabled())

    def test_disabled(self) -> None:
        """Who has disabled it finds it so."""
        gc.disable()
        self.addCleanup(gc.enable)
        loads(b"[" + b"1," * 100_000 + b"1]")
        self.assertFalse(gc.isenabled())


class NestingTests(SynchronousTestCase):
    """``nested_deeper_than`` against the real thing."""

    @given(
        st.recursive(
            st.none() | st.integers() | st.text('[]{}"\\aé', max_size=5),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.text('[]{}"\\aé', max_size=5), inner, max_size=4)
            ),
        ),
        st.integers(1, 6),
    )
    def test_depth(self, value: Any, depth: int) -> None:
        """It agrees with the depth of the decoded value."""
        for ascii_only in (True, False):
            text = json.dumps(value, ensure_ascii=ascii_only).encode()
            self.assertEqual(nested_deeper_than(text, depth), _depth(value) > depth)

    def test_brackets_without_an_end(self) -> None:
        """Text that opens more than it closes is too deep where what is open is."""
        self.assertTrue(nested_deeper_than(b"[" * 65, 64))
        self.assertTrue(nested_deeper_than(b'{"a":' * 65, 64))
        self.assertFalse(nested_deeper_than(b"[" * 3 + b"[]," * 100, 64))
        self.assertFalse(nested_deeper_than(b"]" * 100 + b"[" * 64 + b"]" * 64, 64))

    def test_deepest(self) -> None:
        """What is just not too deep, and just too deep, however much of it there is."""
        for depth in (1, 2, 64):
            block = b"[" * depth + b"{}".join([b"]" * (depth - 1), b"]"])
            for text in (b"[" * depth + b"]" * depth, b"{}" * 1000, b"]" * 1000):
                self.assertFalse(nested_deeper_than(text * 100, depth))
            self.assertTrue(nested_deeper_than(b"{}" * 1000 + b"[" + block * 10 + b"]", depth))

    def test_strings_without_an_end(self) -> None:
        """It comes back quickly from text that is no JSON, however it is quoted."""
        brackets = b"[" * 1_000_000
        self.assertTrue(nested_deeper_than(b'""' + brackets, 64))
        for text in (b'"', b'"\\', b'"' + b'\\"' * 500_000, b'"' * 500_001, b'"\\' * 500_001):
            self.assertFalse(nested_deeper_than(text + brackets, 64))


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
