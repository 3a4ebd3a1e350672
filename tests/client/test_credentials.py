"""
Credentials as a query string, byte for byte as the JavaScript clients write it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.client.credentials import encode_credentials
from txtokensock.errors import InvalidOption

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


class EncodingTests(SynchronousTestCase):
    """encode_credentials."""

    def test_examples(self) -> None:
        """Scalars, nesting, lists, and what is percent-encoded."""
        for credentials, query in (
            ({}, ""),
            ({"a": "1"}, "a=1"),
            ({"a": 1, "b": {"c": 2, "d": ["x"]}}, "a=1&b%5Bc%5D=2&b%5Bd%5D%5B0%5D=x"),
            (
                {"a": [[1, 2], [{"b": 3}]]},
                "a%5B0%5D%5B0%5D=1&a%5B0%5D%5B1%5D=2&a%5B1%5D%5B0%5D%5Bb%5D=3",
            ),
            ({"a": ("x", "y")}, "a%5B0%5D=x&a%5B1%5D=y"),
            ({"t": True, "f": False}, "t=true&f=false"),
            ({"e": ""}, "e="),
            ({"": "x"}, "=x"),
            ({"s": "a b"}, "s=a%20b"),
            ({"a": "-_.!~*'()"}, "a=-_.!~*'()"),
            ({"a": "&=+?#/%[]:@,;$"}, "a=%26%3D%2B%3F%23%2F%25%5B%5D%3A%40%2C%3B%24"),
            ({"ü": "😀\n\0"}, "%C3%BC=%F0%9F%98%80%0A%00"),
            ({"a&b": {"c=d": 1}}, "a%26b%5Bc%3Dd%5D=1"),
        ):
            self.assertEqual(encode_credentials(credentials), query)

    def test_numbers(self) -> None:
        """Numbers have JavaScript's form."""
        for number, text in (
            (0, "0"),
            (-5, "-5"),
            (2**53, "9007199254740992"),
            (1.0, "1"),
            (-0.0, "0"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (123456789012345680000.0, "123456789012345680000"),
            (1e21, "1e%2B21"),
            (1.5e300, "1.5e%2B300"),
            (-1e21, "-1e%2B21"),
            (1e-6, "0.000001"),
            (1.5e-5, "0.000015"),
            (1e-7, "1e-7"),
            (1.25e-10, "1.25e-10"),
            (5e-324, "5e-324"),
            (0.0001, "0.0001"),
        ):
            self.assertEqual(encode_credentials({"n": number}), f"n={text}")

    def test_refused(self) -> None:
        """What the encoding would lose is refused, by its place and not by its value."""
        values: list[Any] = [None, float("nan"), float("inf"), {}, [], (), b"x", datetime.now()]
        values += [object(), {1}, "\ud800s3cret"]
        for value in values:
            for credentials in ({"key": value}, {"key": {"inner": [1, value]}}):
                error = self.assertRaises(InvalidOption, encode_credentials, credentials)
                self.assertIn("key", str(error))
                self.assertNotIn("s3cret", str(error))
        for credentials in (None, "a=b", [("a", 1)], {1: "a"}, {"a": {None: 1}}, {"\ud800": 1}):
            self.assertRaises(InvalidOption, encode_credentials, credentials)

    @given(st.dictionaries(NAMES, NAMES))
    def test_readable(self, credentials: dict[str, str]) -> None:
        """Any text arrives as it was."""
        query = encode_credentials(credentials)
        self.assertTrue(query.isascii())
        read = dict(parse_qsl(query, keep_blank_values=True)) if credentials else {}
        self.assertEqual(read, credentials)

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_numbers_keep_their_value(self, number: float) -> None:
        """Any number reads as the same number, with no more digits than needed."""
        text = encode_credentials({"n": number})[2:].replace("%2B", "+")
        self.assertEqual(float(text), number)
        self.assertNotIn(".0e", text)
        self.assertNotRegex(text, r"\.0?$|e[+-]0")
