"""
Which messages of a channel are our own, come back (no I/O).

A token-sockjs server delivers what a client publishes to that client too, where it is
subscribed, exactly once, and without a mark.  What was published is remembered, and as
many messages of equal content are taken out of what comes in.  Which of several equal
ones is "ours" cannot be known and makes no difference: whoever reads the rest gets each
message of others exactly once.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable
from math import isfinite
from typing import Any

import msgspec
from attrs import define, field

from ...jsontext import Malformed, dumps, loads

__all__ = ["Echoes", "Expected"]

_MOST = 100_000

_EXACT = 2**53
"""From here on, not every whole number is one in JavaScript."""

_WHOLE_FLOAT = re.compile(rb"\.0(?:[],}]|\Z)")
_TO_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG = re.compile(rb"(?:\A|[\[:,])-?[0-9]{16}")


@define(eq=False)
class Expected:
    """
    One message that was published, and has not come back yet.

    :ivar forms: what it may come back as.
    :ivar until: when it is not expected any more.
    """

    forms: tuple[bytes, ...]
    until: float


@define(eq=False, repr=False)
class Echoes:
    """
    What was published on one channel and has not come back yet.

    :param seconds: the time.
    :param json_text: what the server makes of text that is JSON, see
        :class:`~.config.wamp.WampRules`.
    :param patience: seconds after which a message is not expected any more: the server
        refused it without saying so, or keeps it from us.
    :ivar missing: how many were given up so.
    """

    _seconds: Callable[[], float]
    _patience: float
    _json_text: str = "either"
    _expected: OrderedDict[Expected, None] = field(init=False, factory=OrderedDict)
    _by_form: dict[bytes, OrderedDict[Expected, None]] = field(init=False, factory=dict)
    missing: int = field(init=False, default=0)

    def __len__(self) -> int:
        return len(self._expected)

    def expect(self, data: Any) -> Expected:
        """
        ``data`` is being published now.

        :raises InvalidData: if it has no JSON form.
        """
        expected = Expected(self._forms(data), self._seconds() + self._patience)
        self._expire()
        self._expected[expected] = None
        for form in expected.forms:
            self._by_form.setdefault(form, OrderedDict())[expected] = None
        return expected

    def forget(self, expected: Expected) -> None:
        """It will not come: it was refused, or not even sent."""
        if self._expected.pop(expected, expected) is expected:
            return
        for form in expected.forms:
            same = self._by_form[form]
            del same[expected]
            if not same:
                del self._by_form[form]

    def clear(self) -> None:
        """None will come: the connection on which they were sent is gone."""
        self._expected.clear()
        self._by_form.clear()

    def take(self, data: Any) -> bool:
        """Whether a message that came in is one of ours; then it is not expected again."""
        self._expire()
        if not self._expected:
            return False
        same = self._by_form.get(_form(data))
        if not same:
            return False
        self.forget(next(iter(same)))
        return True

    def _forms(self, data: Any) -> tuple[bytes, ...]:
        """What may come back."""
        whole = loads(dumps(data))
        form = _form(whole)
        if isinstance(whole, str) and self._json_text != "kept":
            try:
                read = _form(_read(whole))
            except (ValueError, RecursionError):
                return (form,)
            return (read,) if self._json_text == "read" else (form, read)
        return (form,)

    def _expire(self) -> None:
        now = self._seconds()
        while self._expected:
            oldest = next(iter(self._expected))
            if oldest.until > now and len(self._expected) < _MOST:
                break
            self.forget(oldest)
            self.missing += 1


def _read(text: str) -> Any:
    """
    What JavaScript reads, to which a number that is too large is infinite.

    :raises ValueError: if it is no JSON.
    """
    try:
        return loads(text.encode())
    except Malformed:
        return json.loads(text, parse_constant=_no_number)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _form(data: Any) -> bytes:
    """One text for all data that are the same after a way through JavaScript."""
    text = msgspec.json.encode(data, order="sorted")
    if not _may_be_written_otherwise(text):
        return text
    try:
        return msgspec.json.encode(_normal(data), order="sorted")
    except RecursionError:  # nested deeper than Python counts, not than msgspec does
        return text


def _may_be_written_otherwise(text: bytes) -> bool:
    """
    Whether there may be a number that others write in another way: a whole one with ``.0``, or
    one so long that JavaScript rounds it.  What msgspec writes with an exponent is neither: it
    is what :func:`_normal` makes of it as well.  Text that looks so does no harm.
    """
    if _WHOLE_FLOAT.search(text):
        return True
    # A regular expression for digits takes ten times as long as looking for as many zeros.
    return b"0" * 16 in text.translate(_TO_ZEROS) and _LONG.search(text) is not None


def _normal(data: Any) -> Any:
    """The same with each number as JavaScript has it, in the one way that is ours."""
    if isinstance(data, bool) or data is None or isinstance(data, str):
        return data
    if isinstance(data, int | float):
        try:
            number = float(data)  # all numbers are, in JavaScript
        except OverflowError:
            return None
        if not isfinite(number):
            return None
        return int(number) if number.is_integer() and abs(number) < _EXACT else number
    if isinstance(data, list):
        return [_normal(item) for item in data]
    return {key: _normal(value) for key, value in data.items()}
