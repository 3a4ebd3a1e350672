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

    Several headers of one name are one list (RFC 9110, section 5.3).  So who sends two of what
    there may be one of, such as ``Host`` or ``Origin``, cannot choose which of them counts.

    :param request: an :class:`~twisted.web.iweb.IRequest`.
    :return: the value, with U+FFFD for what is not UTF-8; None without such a header.
    """
    values = request.requestHeaders.getRawHeaders(name)
    return b", ".join(values).decode("utf-8", "replace") if values else None
