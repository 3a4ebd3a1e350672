"""
Errors for HTTP answers that refuse a session.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.web.iweb import IResponse

from ...address import shown_url
from ...errors import HandshakeRefused, shorten
from ...web.client.retry_after import retry_after

__all__ = ["header_of", "refused"]


def refused(what: str, status: int, header: Callable[[str], str]) -> HandshakeRefused:
    """
    The error for an answer that refuses a session.

    :param what: was answered, for the error's text.
    :param status: of the answer.
    :param header: gives a header of the answer by its name in lower case, or an empty text.
    """
    target = shown_url(header("location"))
    hint = f", which leads to {shorten(target)}: use that address" if target else ""
    return HandshakeRefused(
        f"{what} was answered with {status}{hint}",
        status=status,
        retry_after=retry_after(header("retry-after")),
    )


def header_of(response: IResponse, name: str) -> str:
    """A header of a response; an empty text if it has none of that name."""
    values = response.headers.getRawHeaders(name.encode("ascii"), [b""])
    text: str = values[0].decode("latin-1")
    return text
