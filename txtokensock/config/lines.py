"""
Where each option of a TOML document is, which the standard library's reader does not say.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any, TypeVar

__all__ = ["nearest", "option_lines"]

T = TypeVar("T")


def option_lines(text: str) -> dict[str, int]:
    """
    :param text: a valid document.
    :return: the line on which each table and option begins, by its path, such as
        ``http.keys[1].name``.
    """
    found: dict[str, int] = {}
    table, statement, begins = "", "", 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += line + "\n"
        try:
            content = tomllib.loads(statement)
        except ValueError:
            continue  # it goes on in the next line
        if statement.lstrip().startswith("["):
            table = _header(content, found)
            found.setdefault(table, begins)
            found.setdefault(table.rpartition("[")[0] or table, begins)
        else:
            for path in _paths(content):
                found.setdefault(f"{table}.{path}" if table else path, begins)
        statement, begins = "", number + 1
    return found


def nearest(path: str, places: Mapping[str, T]) -> T | None:
    """
    :param path: of an option, which may be missing.
    :param places: those of options and tables, such as :func:`option_lines`.
    :return: its place, or that of the nearest table around it; None where there is neither.
    """
    while path not in places:
        cut = max(path.rfind("."), path.rfind("["))
        if cut < 0:
            return None
        path = path[:cut]
    return places[path]


def _header(content: Any, found: dict[str, int]) -> str:
    """The path of the table that a header begins: of arrays the element that is its own."""
    path = ""
    while content:
        ((key, content),) = content.items()
        path = f"{path}.{key}" if path else key
        count = 0
        while f"{path}[{count}]" in found:
            count += 1
        if isinstance(content, list):
            return f"{path}[{count}]"
        if count:
            path = f"{path}[{count - 1}]"
    return path


def _paths(content: dict[str, Any]) -> list[str]:
    """The paths of what a statement sets, and of what is in it."""
    paths = []
    for key, value in content.items():
        paths.append(key)
        if isinstance(value, dict):
            paths += [f"{key}.{inner}" for inner in _paths(value)]
    return paths
