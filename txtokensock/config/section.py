"""
What all sections are made of.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from ..errors import InvalidOption, UsageError

__all__ = [
    "WAYS_TO_WRITE",
    "Problem",
    "Secret",
    "SecretUnavailable",
    "Section",
    "checked",
    "revealed",
]


WAYS_TO_WRITE = 'a secret is { env = "NAME" } or { file = "path" }'


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the configuration: an unknown key is refused, not ignored."""


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Something that is wrong with the configuration.

    :ivar path: where, as in ``wamp.events[2].topic``; empty for the whole.
    :ivar message: what, in one line, and without secrets.
    :ivar where: the file and the line, where that is known.
    """

    path: str
    message: str
    where: str = ""

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.where, self.path, self.message)))


def checked(path: str, check: Callable[..., object], *values: Any) -> Iterator[Problem]:
    """
    The problem that a check raises, if any.

    :param path: where it is.
    :param check: called with the values; raises :class:`~txtokensock.errors.UsageError`.
    """
    try:
        check(*values)
    except UsageError as problem:
        yield Problem(path, str(problem))


class SecretUnavailable(InvalidOption):
    """The environment variable or the file that holds a secret cannot be read."""


class Secret(Section, frozen=True):
    """
    A secret is never written into the configuration itself: ``{ env = "NAME" }`` or
    ``{ file = "path" }``.  One line break at the end of a file does not count.

    :ivar env: the name of an environment variable.
    :ivar file: a path; relative ones start at the working directory.
    """

    env: str | None = None
    file: str | None = None

    def reveal(self) -> str:
        """
        :return: the secret, read now.
        :raises SecretUnavailable: if it cannot be read; the text says where it was
            looked for.
        """
        if (self.env is None) == (self.file is None):
            raise SecretUnavailable(WAYS_TO_WRITE)
        if self.env is not None:
            value = os.environ.get(self.env)
            if not value:
                raise SecretUnavailable(f"the environment variable {self.env} is not set")
            return value
        assert self.file is not None
        try:
            return Path(self.file).read_text(encoding="utf-8").removesuffix("\n")
        except OSError as problem:
            reason = problem.strerror
        except UnicodeDecodeError:
            reason = "not UTF-8"
        except ValueError:  # a NUL
            reason = "no file has such a path"
        raise SecretUnavailable(f"the file {self.file} cannot be read: {reason}")

    def for_header(self) -> str:
        """
        :return: the secret, read now.
        :raises InvalidOption: if it cannot be read, or no request can carry it; the text does not
            hold it.
        """
        secret = self.reveal()
        if not secret:
            raise InvalidOption("the secret is empty")
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise InvalidOption("the secret holds a space or a character that is not ASCII")
        return secret


def revealed(value: str | Secret) -> str:
    """
    A value that may be a secret, read now.

    :raises SecretUnavailable: see :meth:`Secret.reveal`.
    """
    return value.reveal() if isinstance(value, Secret) else value
