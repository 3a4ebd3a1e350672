"""
The credentials that token-sockjs clients put into the query of a token request.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from twisted.web.iweb import IRequest
from twisted.web.server import Request

__all__ = ["AnyRequest", "query"]

AnyRequest: TypeAlias = "IRequest | Request"
"""Provides Twisted's ``IRequest``."""

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST = 5
_MOST = 1000


def query(request: AnyRequest) -> dict[str, Any]:
    """
    The query of a token request as Node's Express reads it: ``a=1&b[c]=2&b[d][0]=x`` is
    ``{"a": "1", "b": {"c": "2", "d": ["x"]}}``.

    Values are text, always: a query says nothing of types.  A name that comes several
    times is a list.  Nesting ends at five levels, and the query at a thousand values, as
    in qs, which Express uses; names that make no sense, such as ``a[b``, and ``callback``,
    which is JSONP's, are left out.

    :param request: as ``authentication`` gets it.
    """
    result: dict[str, Any] = {}
    count = 0
    for raw, values in request.args.items():
        count += len(values)
        key = _KEY.fullmatch(raw.decode("utf-8", "replace"))
        if key is None or count > _MOST:
            continue
        path = [key[1], *_PART.findall(key[2])]
        texts = [value.decode("utf-8", "replace") for value in values]
        if len(path) <= _DEEPEST + 1 and path != ["callback"]:
            is_list = path[-1] == "" or len(texts) > 1
            _put(result, [part for part in path if part], texts if is_list else texts[0])
    return {name: _with_lists(value) for name, value in result.items()}


def _put(into: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        into = into.setdefault(part, {})
        if not isinstance(into, dict):
            return  # ``a=1&a[b]=2``: the first stays
    into.setdefault(path[-1], value)


def _with_lists(value: Any) -> Any:
    """Turn mappings whose keys are 0, 1, 2... into lists, at every depth."""
    if not isinstance(value, dict):
        return value
    mended = {name: _with_lists(inner) for name, inner in value.items()}
    indices = [str(index) for index in range(len(mended))]
    return [mended[index] for index in indices] if set(mended) == set(indices) else mended
