"""
Old names of options, and old words for their values.  They work for one more release.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...config.section import Problem
from ...support.deprecation import OldName, deprecate

__all__ = ["renew"]


@dataclass(frozen=True, slots=True)
class _OldOption:
    """
    :ivar where: the table, or the array of tables, that it is in.
    :ivar key: its old name.
    :ivar place: the keys that lead from there to what it is called now.
    :ivar words: old values, and what is written for them now.
    """

    where: tuple[str, ...]
    key: str
    place: tuple[str, ...]
    name: OldName
    words: tuple[str, str] | None = None


def _moved(where: str, key: str, place: str) -> _OldOption:
    name = deprecate(f"[{where}] {key} =", f"{place} =", ends="0.3.0")
    return _OldOption(tuple(where.strip("[]").split(".")), key, tuple(place.split(".")), name)


def _reworded(where: str, key: str, old: str, new: str) -> _OldOption:
    name = deprecate(f'[{where}] {key} = "{old}"', f'{key} = "{new}"', ends="0.3.0")
    return _OldOption(tuple(where.strip("[]").split(".")), key, (key,), name, (old, new))


_OLD_OPTIONS = (
    _moved("[webhooks.channels]", "first_delay", "backoff.first"),
    _moved("[webhooks.channels]", "longest_delay", "backoff.cap"),
    _reworded("[webhooks.channels]", "overflow", "newest", "drop-newest"),
    _reworded("[webhooks.channels]", "overflow", "oldest", "drop-oldest"),
    _moved("wamp", "longest_delay", "backoff.cap"),
)


def renew(document: dict[str, Any]) -> tuple[list[Problem], list[Problem]]:
    """
    Write the options of a document as they are called now.

    :param document: as it was read, and not checked yet; it is changed.
    :return: what people should be told of, which works for now, and what cannot be, since
        old and new are both there.
    """
    old: list[Problem] = []
    double: list[Problem] = []
    for option in _OLD_OPTIONS:
        for path, table in _tables(document, option.where):
            here = f"{path}.{option.key}"
            if option.words is not None:
                if table.get(option.key) != option.words[0]:
                    continue
                table[option.key] = option.words[1]
            elif option.key not in table:
                continue
            elif not _move(table, option):
                new = ".".join(option.place)
                double.append(Problem(here, f"is the old name of {new}: write one of them"))
                continue
            instead = option.name.replacement
            ends = f"is deprecated and ends with txtokensock {option.name.ends}"
            old.append(Problem(here, f"{ends}: write {instead} instead"))
    return old, double


def _move(table: dict[str, Any], option: _OldOption) -> bool:
    """Whether the new place was free."""
    *outer, key = option.place
    value = table.pop(option.key)
    for name in outer:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            return True  # which is a problem of its own
        table = inner
    if key in table:
        return False
    table[key] = value
    return True


def _tables(document: Any, where: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of that name, with their paths, as far as they are tables."""
    name, *rest = where
    found = document.get(name)
    several = found if isinstance(found, list) else [found]
    for number, table in enumerate(several):
        if not isinstance(table, dict):
            continue
        path = f"{name}[{number}]" if isinstance(found, list) else name
        if not rest:
            yield path, table
            continue
        for inner, one in _tables(table, tuple(rest)):
            yield f"{path}.{inner}", one
