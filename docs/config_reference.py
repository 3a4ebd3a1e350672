"""
The options of a section of a configuration, from its type: ``.. config-section:: module.Class``.

The texts are those of ``:ivar:`` in its docstring; for ``[limits]`` and ``[sockjs]`` in those of
the classes that these are made of.
"""

from __future__ import annotations

import re
from importlib import import_module
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from docutils.nodes import Node
from docutils.statemachine import StringList
from msgspec import NODEFAULT, Struct, structs
from sphinx.util.docutils import SphinxDirective

from txtokensock.server import Limits
from txtokensock.sockjs import SockJSOptions

__all__ = ["ConfigSection", "Option", "options_of"]

_TEXTS_OF: dict[str, type] = {"LimitsConfig": Limits, "SockJSConfig": SockJSOptions}

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


class Option(NamedTuple):
    """An option of a section: its name, what it may be, its default in TOML, and its text."""

    name: str
    kind: str
    default: str
    text: str


def options_of(section: type[Struct]) -> list[Option]:
    """The options of a section, in order."""
    texts = _texts(_TEXTS_OF.get(section.__name__, section))
    kinds = get_type_hints(section)
    return [
        Option(field.name, _kind(kinds[field.name]), _default(field), texts.get(field.name, ""))
        for field in structs.fields(section)
    ]


def _texts(documented: type) -> dict[str, str]:
    found = re.findall(
        r"^:ivar (\w+): (.*?)(?=^:\w|\Z)", cleandoc(documented.__doc__ or ""), re.M | re.S
    )
    return {name: " ".join(text.split()) for name, text in found}


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(_kind(each) for each in arguments if each is not NoneType)
    if origin is Literal:
        return " or ".join(f"``{each!r}``".replace("'", '"') for each in arguments)
    if origin is tuple:
        return f"a list of {_kind(arguments[0]).removeprefix('a ')}s"
    if origin is dict:
        return "a table"
    return _WORDS.get(annotation) or {"Secret": "a secret"}.get(annotation.__name__, "a table")


def _default(field: Any) -> str:
    if field.default is NODEFAULT:
        return "" if field.default_factory is not NODEFAULT else "required"
    if field.default in (None, (), ""):
        return ""
    if isinstance(field.default, bool):
        return f"``{str(field.default).lower()}``"
    if isinstance(field.default, str):
        return f'``"{field.default}"``'
    return f"``{field.default}``"


class ConfigSection(SphinxDirective):
    """``.. config-section:: module.Class``."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Write a definition list."""
        module, _, name = self.arguments[0].rpartition(".")
        lines: list[str] = []
        for option in options_of(getattr(import_module(module), name)):
            default = f", by default {option.default}" if option.default else ""
            default = ", required" if option.default == "required" else default
            lines += [f"``{option.name}``", f"   {option.text} *({option.kind}{default})*", ""]
        return self.parse_content_to_nodes_of(lines)

    def parse_content_to_nodes_of(self, lines: list[str]) -> list[Node]:
        """The nodes of lines of reStructuredText."""
        self.content = StringList(lines, source=self.arguments[0])
        return self.parse_content_to_nodes()
