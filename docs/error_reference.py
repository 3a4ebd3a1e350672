"""
A section for each class of error, made of its docstring: ``.. error-reference::``.

The section of ``TokenRefused`` has the anchor ``#TokenRefused``, which the command prints.
"""

from __future__ import annotations

import re
from inspect import cleandoc, isclass

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from txtokensock import errors

__all__ = ["ErrorReference", "cause_and_remedy", "public_errors"]


def public_errors() -> list[type[Exception]]:
    """Every public class of error, in alphabetical order."""
    kinds = [getattr(errors, name) for name in sorted(errors.__all__)]
    return [kind for kind in kinds if isclass(kind)]


def cause_and_remedy(kind: type[Exception]) -> tuple[str, str]:
    """What a docstring says before its fields, and its ``:remedy:``."""
    cause, _, fields = f"{cleandoc(kind.__doc__ or '')}\n".partition("\n:")
    remedy = re.search(r"^:?remedy: (.*?)(?=^:|\Z)", fields, re.M | re.S)
    return cause.strip(), " ".join(remedy[1].split()) if remedy else ""


class ErrorReference(SphinxDirective):
    """``.. error-reference::``."""

    def run(self) -> list[nodes.Node]:
        """Write the sections."""
        return [self._section(kind) for kind in public_errors()]

    def _section(self, kind: type[Exception]) -> nodes.Node:
        cause, remedy = cause_and_remedy(kind)
        above = ", ".join(
            f":class:`~{base.__module__}.{base.__name__}`"
            for base in kind.__mro__[1:]
            if base.__module__ == errors.__name__
        )
        text = (
            f".. py:currentmodule:: {errors.__name__}\n\n{cause}\n\n**What to do.** {remedy}\n\n"
        )
        if above:
            text += f"*Caught as* :class:`~{errors.__name__}.{kind.__name__}` *and as* {above}.\n"
        self.content = StringList(text.splitlines(), source=f"docstring of {kind.__name__}")
        title = nodes.title("", kind.__name__)
        return nodes.section(
            "", title, *self.parse_content_to_nodes(), ids=[kind.__name__], names=[kind.__name__]
        )
