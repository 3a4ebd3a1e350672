"""
``authentication`` as the query string of a token request.

The encoding is that of the JavaScript clients: ``b[c]`` for nesting, ``d[0]`` for lists,
everything but letters, digits and ``-_.!~*'()`` percent-encoded.
"""

from __future__ import annotations

import math
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from ..errors import InvalidOption

__all__ = ["encode_credentials", "without_credentials"]

_UNRESERVED = "-_.!~*'()"


def encode_credentials(credentials: Mapping[str, Any]) -> str:
    """
    :param credentials: text, numbers and booleans, in mappings and lists.
    :return: ``a=1&b%5Bc%5D=2``, without the ``?``.
    :raises InvalidOption: for anything that the encoding would lose, such as None, NaN,
        a date or an empty list.  The text names the place and never the value.
    """
    if not isinstance(credentials, Mapping):
        raise InvalidOption(f"authentication must be a mapping, not {type(credentials).__name__}")
    return "&".join(
        f"{quote(name, safe=_UNRESERVED)}={quote(text, safe=_UNRESERVED)}"
        for key, value in credentials.items()
        for name, text in _pairs(_key(key), value)
    )


_HEADER_VALUE = re.compile(r"[^\s;=]+=*(?=\s*(?:;|$))")
"""What counts in ``Bearer abc``, ``Basic YWJj==`` and ``a=1; b=2``."""

_SHORT = 4
"""What is shorter than this is looked for as a word of its own: it may be part of many."""


def without_credentials(value: Any, query: str, headers: Mapping[str, str]) -> Any:
    """
    What a peer sent, without what it repeats of a request's secrets.

    :param value: any JSON.
    :param query: from :func:`encode_credentials`.
    :param headers: of the request, those that the user gave.
    :return: ``value``, with ``<secret>`` in place of each.
    :raises RecursionError: for what is nested too deep.
    """
    encoded = {query, *(pair.partition("=")[2] for pair in query.split("&"))}
    plain = {unquote(text) for text in encoded}
    given = {text for line in headers.values() for text in _HEADER_VALUE.findall(line)}
    basic = {part for text in given for part in _basic(text)}
    secrets = encoded | plain | {quote_plus(text) for text in plain} | given | basic
    secrets.update(headers.values())
    patterns = [
        re.escape(secret) if len(secret) >= _SHORT else rf"(?<!\w){re.escape(secret)}(?!\w)"
        for secret in sorted(filter(None, secrets), key=len, reverse=True)
    ]
    # Encodings differ in case, and some services shout.
    return _replace(re.compile("|".join(patterns), re.IGNORECASE), value) if patterns else value


def _basic(text: str) -> list[str]:
    """User and password, where a header has them as RFC 7617 encodes them."""
    try:
        user, colon, password = b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return []
    return [user, password] if colon else []


def _replace(secrets: re.Pattern[str], value: Any) -> Any:
    if isinstance(value, dict):
        return {
            secrets.sub("<secret>", key): _replace(secrets, inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_replace(secrets, inner) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    shown = secrets.sub("<secret>", text)
    return value if shown == text else shown


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _pairs(f"{name}[{_key(key)}]", inner)
    elif isinstance(value, list | tuple) and value:
        for index, inner in enumerate(value):
            yield from _pairs(f"{name}[{index}]", inner)
    else:
        yield name, _text(name, value)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise InvalidOption(f"authentication has a key that is not text: {type(key).__name__}")
    return _sendable(key, "a key of authentication")


def _text(name: str, value: Any) -> str:
    """A scalar as JavaScript writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _sendable(value, f"authentication[{name!r}]")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return _float(value)
    kind = "nan or infinite" if isinstance(value, float) else f"a {type(value).__name__}"
    if isinstance(value, Mapping | list | tuple):
        kind = f"an empty {type(value).__name__}"
    raise InvalidOption(f"authentication[{name!r}] is {kind}: a query string cannot carry it")


def _sendable(text: str, place: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidOption(f"{place} holds half of a surrogate pair") from None
    return text


def _float(value: float) -> str:
    """Where Python and JavaScript write a number differently, JavaScript's form."""
    if value == 0:
        return "0"  # -0.0, too
    if value.is_integer() and abs(value) < 1e21:
        # Not the exact value, but the shortest digits that mean it, filled up with zeros.
        return format(Decimal(repr(value)).to_integral_value(), "f")
    if 1e-6 <= abs(value) < 1e-4:
        return format(Decimal(repr(value)), "f")
    return re.sub(r"e([+-])0+", r"e\1", repr(value))
