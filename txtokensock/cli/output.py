"""
The output of the command: JSON on stdout, and sentences for people on stderr.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import sys
from typing import Any, TextIO

import click

from .. import errors
from ..jsontext import dumps

__all__ = [
    "be_quiet",
    "discard",
    "harmless",
    "has_colours",
    "notice",
    "place_in_docs",
    "print_json",
    "say",
    "write_utf8",
]

_quiet = False
_named: set[type[BaseException]] = set()


def write_utf8() -> None:
    """Set the encoding of stdout to UTF-8, as JSON's is, whatever the locale."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def be_quiet() -> None:
    """Let :func:`notice` say nothing."""
    global _quiet
    _quiet = True


def notice(text: str) -> None:
    """Write what is no error to stderr, unless the command is to be quiet."""
    if not _quiet:
        say(text)


def say(text: str) -> None:
    """Write a sentence for people to stderr, if that is open."""
    if sys.stderr is None:  # print() would write to stdout instead
        return
    try:
        print(f"tokensock: {harmless(text, keep=chr(10))}", file=sys.stderr, flush=True)
    except OSError:  # nobody reads it
        discard(sys.stderr)


def place_in_docs(error: BaseException) -> str:
    """
    Where the documentation has the cause of an error and what to do, to be put behind its text.

    :return: nothing for errors that are not ours, and for those of a class named before.
    """
    kind = type(error)
    if kind in _named or getattr(errors, kind.__name__, None) is not kind:
        return ""
    _named.add(kind)
    return f" (docs: troubleshooting.html#{kind.__name__})"


def print_json(value: Any, *, raw: bool = False, before: str = "") -> None:
    """
    Print a value at once: on a line of its own, or on several and in colour on a terminal.

    :param raw: whether to print a text without quotes.
    :param before: what goes before it.
    :raises OSError: if it cannot be written.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    text = _form(value, raw=raw, terminal=sys.stdout.isatty())
    sys.stdout.write(f"{before}{text}\n")
    sys.stdout.flush()


def _form(value: Any, *, raw: bool, terminal: bool) -> str:
    if raw and isinstance(value, str):
        return harmless(value, keep="\n\t") if terminal else value
    line = dumps(value).decode()
    if not terminal:
        return harmless(line)
    text = harmless(json.dumps(json.loads(line), indent=2, ensure_ascii=False), keep="\n")
    return _coloured(text) if has_colours() else text


def harmless(text: str, keep: str = "") -> str:
    """
    A text without what a terminal would obey, and what reorders a line: control characters (C0
    and C1) and directions of writing become JSON's escapes.  JSON stays the same value.

    :param keep: characters to leave as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        mark if mark.isprintable() or mark in keep else json.dumps(mark)[1:-1] for mark in text
    )


def has_colours() -> bool:
    """Whether stdout is to have colours: see https://no-color.org."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and (os.environ.get("TERM") not in (None, "dumb"))
    )


_TOKEN = re.compile(
    r'(?P<text>"(?:[^"\\]|\\.)*")(?P<key>:)?|(?P<word>true|false|null)|-?\d[\d.eE+-]*'
)


def _coloured(text: str) -> str:
    def colour(token: re.Match[str]) -> str:
        if token["key"]:
            return click.style(token["text"], fg="blue", bold=True) + ":"
        return click.style(
            token[0], fg="green" if token["text"] else "magenta" if token["word"] else "cyan"
        )

    return _TOKEN.sub(colour, text)


def discard(stream: TextIO | None) -> None:
    """Drop what could not be written, or Python would try again when it exits."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
