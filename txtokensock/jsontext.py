"""
JSON as the protocol has it (no I/O).

msgspec reads and writes.  Where the protocol differs from it, the difference is settled
here:

- JavaScript strings may hold half of a surrogate pair, and ``JSON.stringify``
  writes it as an escape.  Python strings cannot be sent with one, so it is read
  as U+FFFD, the replacement character; text with 10,000 of them is not taken.
- msgspec writes NaN and the infinities as ``null``.  That silently changes the
  caller's data, so they are refused.
- msgspec knows no subclasses of text and numbers, such as ``numpy.float64`` and
  ``markupsafe.Markup``, and neither True, False nor None as a key.  They are written as
  ``json.dumps`` writes them.
- whatever is wrong with a peer's text, there is one error: :class:`Malformed`.
"""

from __future__ import annotations

import gc
import json
import math
import re
from collections.abc import Callable
from itertools import accumulate, count
from operator import sub
from typing import Any, TypeVar

import msgspec

from .errors import InvalidData, shorten

__all__ = ["Malformed", "decoder", "dumps", "loads", "nested_deeper_than"]

T = TypeVar("T")

_LARGE = 64 * 1024

# Where no backslash is escaped, every other begins an escape.
_HALF_PAIR = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|[c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD].{3}))"
)

_MOST_HALF_PAIRS = 10_000
"""Text that was cut off has one, and binary data thousands, which are lost like this anyway."""


class Malformed(ValueError):
    """A peer's text is not the JSON that was expected; the text says how it differs."""


def decoder(type: type[T]) -> Callable[[bytes], T]:
    """
    Make a function that decodes JSON text into one type.

    :param type: what the text must be, as msgspec understands it; a wrong type
        inside is refused.
    :return: takes text in UTF-8.  It raises :class:`Malformed` for anything but that type in
        JSON, nested at most as deep as the interpreter's stack allows.
    """
    decode_plainly = msgspec.json.Decoder(type).decode

    # The __call__ of an object would take as long again as msgspec does for a small message.
    def decode(text: bytes) -> T:
        try:
            if len(text) < _LARGE:
                return decode_plainly(text)
            return _without_collector(decode_plainly, text)
        except msgspec.ValidationError as problem:
            raise Malformed(shorten(str(problem))) from None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
            # Both are rare enough that looking twice costs nobody anything.
            if isinstance(problem, msgspec.DecodeError) and b"\\u" in text:
                whole, halves = _without_half_pairs(text)
                if 0 < halves < _MOST_HALF_PAIRS:
                    return decode(whole)
            raise Malformed(shorten(str(problem))) from None

    return decode


def _without_collector(decode: Callable[[bytes], T], text: bytes) -> T:
    """
    Decode without the garbage collector, which would go again and again through all that
    this makes, and through everything else: for a megabyte of empty lists it takes ten
    times as long as the decoder.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return decode(text)
    finally:
        if collects:
            gc.enable()


def _without_half_pairs(text: bytes) -> tuple[bytes, int]:
    """
    Every step is one of C: a function called for each escape would take a second for a frame
    of them.

    :return: the text with U+FFFD for each half of a surrogate pair, and how many there were,
        as far as they were counted.
    """
    if b"\0" in text:  # is not valid in any case
        return text, 0
    apart = text.replace(rb"\\", b"\0\0")
    whole, halves = _HALF_PAIR.subn(rb"\\ufffd", apart, _MOST_HALF_PAIRS)
    return whole.replace(b"\0\0", rb"\\"), halves


def _plain(value: Any) -> Any:
    """What msgspec is to write instead of a value, or a key, that it does not know."""
    if isinstance(value, str):
        return str.__str__(value)  # str() would ask the subclass
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{float.__repr__(value)} has no JSON form")
        return float.__float__(value)
    if value is None or isinstance(value, bool):  # as keys: msgspec knows the values
        return json.dumps(value)
    if isinstance(value, int):
        return int.__int__(value)
    raise TypeError(f"objects of type {type(value).__name__} have no JSON form")


def _without_structs(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):  # as every message of ours is
        return msgspec.structs.asdict(value)
    if value is msgspec.UNSET or isinstance(value, msgspec.Raw):
        return None
    raise TypeError


# msgspec has found no cycle.
_encode_finite = json.JSONEncoder(
    allow_nan=False, check_circular=False, default=_without_structs
).encode


def _refuse_nan(value: Any) -> None:
    """Tell whether what msgspec has written as null is a None or a NaN."""
    try:
        _encode_finite(value)
    except Exception:  # a NaN, or what only msgspec knows
        json.dumps(msgspec.to_builtins(value, enc_hook=_without_text), allow_nan=False)


def _without_text(value: Any) -> Any:
    return None if isinstance(value, msgspec.Raw) else _plain(value)


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


def dumps(value: Any) -> bytes:
    """
    The compact JSON of ``value``, in UTF-8.

    :param value: anything msgspec encodes: the JSON types and their subclasses, and also
        tuples, sets, bytes, dataclasses, msgspec structs, datetimes, UUIDs, Decimals, enums.
        ``docs/client.rst`` has what becomes of each.
    :raises InvalidData: for what has no JSON form: NaN, infinities, half surrogate
        pairs, cycles, other types.
    """
    try:
        text = _encode(value)
        if text.find(b"null") >= 0:  # half of what "in" takes, which tries a number first
            _refuse_nan(value)
        if not text.isascii():
            text.decode()  # msgspec copies a Raw as it is, and it shares a frame with others
    except RecursionError:
        raise InvalidData("the data is nested too deep, or holds itself") from None
    except Exception as problem:
        # msgspec lets an encoding problem surface as it finds it: TypeError,
        # ValueError, UnicodeEncodeError, and whatever a property may raise.
        raise InvalidData(f"the data cannot be sent as JSON: {shorten(str(problem))}") from problem
    return text


loads: Callable[[bytes], Any] = decoder(object)
"""Any JSON at all."""


_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def nested_deeper_than(text: bytes, depth: int) -> bool:
    """
    Whether the JSON in ``text`` nests deeper than ``depth``; a string without an end goes on to
    the end of the text.

    Few messages have so many brackets at all.  For those that have, every step is one of C:
    a loop over a megabyte of brackets would take a quarter of a second.
    """
    if text.count(b"[") + text.count(b"{") <= depth:
        return False
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if b'"' in text:
        text = b"".join(text.split(b'"')[::2])  # without the strings
    # What closes at the ends opens nothing.
    brackets = text.translate(_ONE_KIND, _NO_BRACKETS).strip(b"]")
    opened = map(len, brackets.split(b"]"))
    # Before the closing bracket of each number n, n were closed.
    deepest: int = max(map(sub, accumulate(opened), count()))
    return deepest > depth
