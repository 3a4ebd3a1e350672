"""
Reading the headers of a request.
"""

from __future__ import annotations

from typing import Any

__all__ = ["header"]


def header(request: Any, name: bytes) -> str | None:
    """
    A header as text, whatever the client sent: ``getHeader`` of a ``str`` raises for bytes
    that are not UTF-8.

    :param request: an :class:`~twisted.web.iweb.IRequest`.
    :return: the value, with U+FFFD for what is not UTF-8; None without such a header.
    """
    value = request.getHeader(name)
    return None if value is None else value.decode("utf-8", "replace")
