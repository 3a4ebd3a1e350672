"""
The values of arguments: each function reads a text, or raises an error that says why not.
"""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

from ..address import Address, url_path
from ..errors import InvalidData, InvalidOption, shorten
from ..jsontext import Malformed, dumps, loads
from ..messages import check_channel as channel
from ..messages.from_client import check_name as function_name
from .interrupts import interruptible

__all__ = [
    "LINES",
    "auth_file",
    "channel",
    "count",
    "credential",
    "data",
    "function_name",
    "header",
    "host",
    "json",
    "key",
    "path",
    "proxy",
    "rate",
    "seconds",
]


_LONGEST_WORD = 60

LINES = object()
"""The data that is to be read from stdin, one value a line."""


def data(text: str) -> Any:
    """
    Read data: JSON, ``@FILE`` for a file of it, ``@-`` for stdin, ``-`` for the lines of stdin.

    :return: a value, or :data:`LINES`.
    :raises InvalidData: if it is not valid.
    :raises InvalidOption: if the file cannot be read.
    """
    if text == "-":
        return LINES
    if not text.startswith("@"):
        return json(text)
    try:
        with interruptible():
            content = sys.stdin.buffer.read() if text == "@-" else Path(text[1:]).read_bytes()
    except OSError as problem:
        raise InvalidOption(f"{text[1:]}: {problem.strerror}") from None
    return json(content.decode(errors="surrogateescape"))


def json(text: str) -> Any:
    """
    Read JSON.

    :raises InvalidData: if it is not valid; for a word without quotes it says what to type.
    """
    try:
        return loads(text.encode(errors="surrogateescape"))
    except Malformed as problem:
        hint = ""
        if text[:1].isalpha() and len(text) < _LONGEST_WORD and text.isprintable():
            hint = f"; for this text type {shlex.quote(dumps(text).decode())}"
        raise InvalidData(f"{shorten(repr(text))} is not valid JSON: {problem}{hint}") from None


def count(text: str) -> int:
    """
    Read how often.

    :raises InvalidOption: if it is not a number above zero.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise InvalidOption(f"{shorten(repr(text))} is not a number from 1 to 999999999")
    return int(text)


def credential(text: str) -> tuple[list[str], str]:
    """
    Read ``key=value``.

    :return: the key, split at its dots, and the value.
    :raises InvalidOption: for other text, without showing a value in it.
    """
    name, equals, value = text.partition("=")
    if not equals or not all(name.split(".")):
        raise InvalidOption(f"{name!r} is not of the form key=value")
    return name.split("."), value


def key(text: str) -> list[str]:
    """
    Read the key of a credential.

    :return: the key, split at its dots.
    :raises InvalidOption: if a part of it is empty.
    """
    if not all(text.split(".")):
        raise InvalidOption(f"{text!r} is not a key")
    return text.split(".")


def auth_file(name: str) -> dict[str, Any]:
    """
    Read a file of credentials.

    :raises InvalidOption: if it cannot be read, or holds no JSON object.
    """
    try:
        value = loads(Path(name).read_bytes())
    except OSError as problem:
        raise InvalidOption(f"{name}: {problem.strerror}") from None
    except Malformed:  # whose text may show what is in it
        value = None
    if not isinstance(value, dict):
        raise InvalidOption(f"{name} does not hold a JSON object")
    return value


def _positive(text: str, kind: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise InvalidOption(f"{text!r} is not {kind}")
    return value


# What these texts may be is known elsewhere.
host = Address.parse
path = partial(url_path, "it")
seconds = partial(_positive, kind="a positive number of seconds")
rate = partial(_positive, kind="a positive number")


def header(text: str) -> tuple[str, str]:
    """
    Read ``NAME: VALUE``.

    :raises InvalidOption: for text without a colon, without showing it.
    """
    name, colon, value = text.partition(":")
    if not colon:
        raise InvalidOption("it is not of the form 'NAME: VALUE'")
    return name.strip(), value.strip()


def proxy(text: str) -> str | bool:
    """
    Check the URL of a proxy.

    :return: False for ``none``, which asks for no proxy at all.
    :raises InvalidOption: for other text, without showing a password in it.
    """
    if text == "none":
        return False
    from ..web.client.proxies import Proxy

    Proxy.parse(text, "it")
    return text
