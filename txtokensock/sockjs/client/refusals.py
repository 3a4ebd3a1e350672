"""
HTTP answers that open nothing, as errors.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.web.iweb import IResponse

from ...errors import HandshakeRefused, shorten
from ...web.retry_after import retry_after

__all__ = ["header_of", "refused"]


def refused(what: str, status: int, header: Callable[[str], str]) -> HandshakeRefused:
    """
    :param what: was answered, for people.
    :param status: of the answer.
    :param header: gives a header of the answer by its name in lower case, or nothing.
    """
    target = header("location").partition("?")[0]
    hint = f", which leads to {shorten(target)}: use that address" if target else ""
    return HandshakeRefused(
        f"{what} was answered with {status}{hint}",
        status=status,
        retry_after=retry_after(header("retry-after")),
    )


def header_of(response: IResponse, name: str) -> str:
    """A header of a response, or nothing."""
    values = response.headers.getRawHeaders(name.encode("ascii"), [b""])
    text: str = values[0].decode("latin-1")
    return text
