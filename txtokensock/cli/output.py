"""
The output of the command: JSON on stdout, and sentences for people on stderr.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

from .. import errors
from ..jsontext import dumps

__all__ = ["be_quiet", "discard", "notice", "place_in_docs", "print_json", "say", "write_utf8"]

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
        print(f"tokensock: {text}", file=sys.stderr, flush=True)
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


def print_json(value: Any) -> None:
    """
    Print a value on a line of its own, at once.

    :raises OSError: if it cannot be written.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    sys.stdout.write(dumps(value).decode() + "\n")
    sys.stdout.flush()


def discard(stream: TextIO | None) -> None:
    """Drop what could not be written, or Python would try again when it exits."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
