"""
A document of sections into checked structs, with everything that is wrong with it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from ..errors import UsageError, shorten
from .lines import nearest, option_lines
from .section import Problem, Section
from .types import type_problem

__all__ = ["ConfigError", "Document", "Sections", "no_problems"]

Sections: TypeAlias = Mapping[str, tuple[type[Section], Callable[[Any, str], Iterator[Problem]]]]
"""The type of each section by its name, and what finds the problems that types cannot."""


def no_problems(section: Section, path: str) -> Iterator[Problem]:
    """What to say of a section of which the types say all."""
    return iter(())


class ConfigError(UsageError):
    """
    The configuration cannot be used.

    :ivar problems: everything that is wrong, as far as it could be read.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class Document:
    """
    What a file holds, or a command line, or both.

    :param text: TOML.
    :param path: where it is from, for people.
    :raises ConfigError: if it is not TOML.
    :ivar content: as it was read; what changes it does so before :meth:`convert`.
    """

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path
        self._given: dict[str, str] = {}
        try:
            self.content = tomllib.loads(text)
        except (ValueError, RecursionError) as problem:
            raise self.error(
                [Problem("", f"is not valid TOML: {shorten(str(problem))}")]
            ) from None

    @classmethod
    def read(cls, path: str) -> Document:
        """
        :param path: a file in UTF-8.
        :raises ConfigError: if it cannot be read, or is not TOML.
        """
        try:
            return cls(Path(path).read_text(encoding="utf-8"), path)
        except OSError as problem:
            reason = problem.strerror or "cannot be read"
        except ValueError:
            reason = "is not UTF-8"
        raise ConfigError([Problem("", reason, path)])

    def give(self, section: str, option: str, value: Any, where: str) -> None:
        """
        Put an option of a command line in place of the file's.

        :param where: what names it to people, such as ``--listen tcp:80``.
        """
        option, value, where = _text(option), _text(value), _text(where)
        if section not in self.content:
            self._given[section] = where
        table = self.content.setdefault(section, {})
        if isinstance(table, dict):  # what else it is, the file's own mistake, is said
            table[option] = value
            self._given[f"{section}.{option}"] = where

    def convert(self, sections: Sections) -> tuple[dict[str, Any], list[Problem]]:
        """
        :return: the sections that are there and good, by name, and what is wrong with the
            others.
        """
        found = [
            Problem(name, "is not a section: is it misspelt?")
            for name in self.content
            if name not in sections
        ]
        good: dict[str, Any] = {}
        for name, (kind, problems) in sections.items():
            if name in self.content:
                section, wrong = _convert(self.content[name], name, kind)
                if section is not None:
                    wrong = list(problems(section, name))
                found += wrong
                if not wrong:
                    good[name] = section
        return good, found

    def error(self, problems: list[Problem]) -> ConfigError:
        """An error for these, with the lines that they are on."""
        return ConfigError(self.placed(problems))

    def is_given(self, path: str) -> bool:
        """Whether an option is from a command line."""
        return path in self._given

    def placed(self, problems: list[Problem]) -> list[Problem]:
        """These problems, with the file and the lines, or the options, that they are about."""
        lines = option_lines(self._text) if any(problem.path for problem in problems) else {}
        placed = []
        for problem in problems:
            given = nearest(problem.path, self._given)
            if given is not None:
                placed.append(Problem("", problem.message, given))
                continue
            line = nearest(problem.path, lines)
            where = self._path if line is None else f"{self._path}:{line}"
            placed.append(replace(problem, where=where))
        return placed


def _text(value: Any) -> Any:
    """An option of a command line, which may hold bytes that are no text."""
    if isinstance(value, list):
        return [_text(each) for each in value]
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def _convert(content: Any, name: str, kind: type[Section]) -> tuple[Section | None, list[Problem]]:
    """The section, or every value of it that is of the wrong type."""
    found: list[Problem] = []
    left = deepcopy(content)
    while True:
        try:
            section = msgspec.convert(left, kind)
        except msgspec.ValidationError as error:
            problem = type_problem(str(error), name, left, kind)
            if any(f"{before.path}[".startswith(f"{problem.path}[") for before in found):
                return None, found  # it is missing now, for it was wrong
            found.append(problem)
            if not _remove(left, problem.path.removeprefix(name)):
                return None, found
        else:
            return (None if found else section), found


def _remove(content: Any, path: str) -> bool:
    """Take out the option that a problem is about, to find the next; whether it was there."""
    holder, last = None, ""
    for key, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path):
        try:
            inner = content[key or int(index)]
        except (KeyError, IndexError, TypeError):
            return False
        if key:  # of an array the whole, for its other elements keep their numbers
            holder, last = content, key
        content = inner
    if holder is None:
        return False
    del holder[last]
    return True
