"""
msgspec's errors as ours, with the exact path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import inspect

from ..errors import shorten
from .section import WAYS_TO_WRITE, Problem, Secret, Section

__all__ = ["type_problem"]

_SOME_KEY = "[...]"
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_NAMES = {"object": "table", "str": "text", "int": "whole number", "float": "number"}
_WORD = re.compile(r"\b(object|str|int|float)\b")


def type_problem(message: str, name: str, section: Any, kind: type[Section]) -> Problem:
    """
    :param message: of msgspec, such as ``Expected `int`, got `str` - at `$.port` ``.
    :param name: of the section.
    :param section: as it was read.
    :param kind: what it should be.
    """
    what, _, where = message.partition(" - at ")
    # A key that may not be is said to be at "`key` in `$.hooks`".
    of_key = where.startswith("`key` in ")
    path = where.removeprefix("`key` in ").strip("`").removeprefix("$")
    while _SOME_KEY in path:
        path = _exact(path, section, kind)
    missing = re.fullmatch(r"Object missing required field `(.+)`", what)
    if missing:
        return Problem(f"{name}{path}.{missing[1]}", "is missing")
    unknown = re.fullmatch(r"Object contains unknown field `(.+)`", what)
    if unknown:
        close = [] if path else get_close_matches(unknown[1], kind.__struct_fields__)
        guess = " or ".join(close) or "misspelt"
        return Problem(f"{name}{path}.{unknown[1]}", f"is not an option: is it {guess}?")
    if path == "" and "got" in what:
        return Problem(name, f"is not a table: write it as [{name}]")
    types = list(_types_at(inspect.type_info(kind), _STEP.findall(path), of_key))
    found = re.fullmatch(r"Invalid enum value (.*)", what)
    if found:
        choices = [str(value) for each in types for value in getattr(each, "values", ())]
        if of_key:
            path = f"{path}.{shorten(found[1][1:-1])}"
        return Problem(name + path, f"{shorten(found[1])} is not one of {', '.join(choices)}")
    if what.startswith("Expected `object") and any(_is_secret(each) for each in types):
        return Problem(name + path, WAYS_TO_WRITE)
    return Problem(name + path, _in_words(what))


def _is_secret(info: Any) -> bool:
    return getattr(info, "cls", None) is Secret


def _types_at(info: Any, steps: list[tuple[str, str]], of_key: bool) -> Iterator[Any]:
    """What the value, or a key of the table, at the end of these steps may be."""
    if isinstance(info, inspect.UnionType):
        for each in info.types:
            yield from _types_at(each, steps, of_key)
    elif not steps:
        yield info.key_type if of_key and isinstance(info, inspect.DictType) else info
    elif isinstance(info, inspect.StructType):
        for field in info.fields:
            if field.encode_name == steps[0][0]:
                yield from _types_at(field.type, steps[1:], of_key)
    elif isinstance(info, inspect.DictType):
        yield from _types_at(info.value_type, steps[1:], of_key)
    elif isinstance(info, inspect.VarTupleType):
        yield from _types_at(info.item_type, steps[1:], of_key)


def _in_words(what: str) -> str:
    """With the names that TOML has for things; it has no null."""
    text = _WORD.sub(
        lambda match: _NAMES[match[1]], what.replace(" | null", "").replace(" | ", " or ")
    )
    return text[:1].lower() + text[1:].replace("`", "")


def _exact(path: str, section: Any, kind: type[Section]) -> str:
    """The path with the name of the key where msgspec says only that it is one of them."""
    before, _, after = path.partition(_SOME_KEY)
    table = _at(section, before)
    for key in list(table):
        whole = dict(table)
        for other in whole:
            if other != key:
                del table[other]
        try:
            msgspec.convert(section, kind)
        except msgspec.ValidationError as problem:
            if f"`${path}`" in str(problem):
                return f"{before}.{key}{after}"
        finally:
            table.clear()
            table.update(whole)
    return f"{before}.*{after}"


def _at(section: Any, path: str) -> Any:
    for key, index in _STEP.findall(path):
        section = section[key] if key else section[int(index)]
    return section
