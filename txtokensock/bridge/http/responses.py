"""
Responses to HTTP requests, of success and of errors (no I/O).

Errors have the shape of Crossbar's: a URI, and what belongs to it as ``args`` and
``kwargs``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import TokenSocketError
from ...jsontext import dumps
from ...support.portable import Portable
from ..error_table import ErrorKind, classify

__all__ = ["ApiResponse", "Refusal", "forbidden", "json_response", "refusal_of", "unavailable"]

JSON = "application/json"
_LATER = (("retry-after", "1"),)


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """
    :ivar status: of HTTP.
    :ivar body: bytes.
    :ivar headers: names and values.
    :ivar final: whether asking again could do something twice: False where we know that
        nothing was done.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    final: bool = True


def json_response(status: int, body: Any) -> ApiResponse:
    """A response in JSON."""
    return ApiResponse(status, dumps(body) + b"\n")


class Refusal(Portable):
    """
    A request that is answered with an error.

    :param kind: what it is.
    :param args: what belongs to it: a text for people, or the server's own error.
    :param headers: more of them.
    :param final: see :class:`ApiResponse`.
    :param kwargs: more of what belongs to it.
    :ivar answer: the response.
    """

    def __init__(
        self,
        kind: ErrorKind,
        *args: Any,
        headers: tuple[tuple[str, str], ...] = (),
        final: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(f"{kind.status} {kind.uri}")
        body = {"error": kind.uri, "args": args, "kwargs": kwargs}
        self.answer = ApiResponse(kind.status, dumps(body) + b"\n", headers=headers, final=final)


def unavailable(reason: str) -> Refusal:
    """503: nothing was done, and it may work later."""
    return Refusal(ErrorKind.UNAVAILABLE, reason, headers=_LATER)


def forbidden(reason: str) -> Refusal:
    """403: this key may not do that."""
    return Refusal(ErrorKind.NOT_AUTHORIZED, reason)


def refusal_of(problem: TokenSocketError) -> Refusal:
    """
    What the failure of a call or publish upstream is answered.  Where it may be that it
    was done, ``kwargs`` say so.
    """
    error = classify(problem)
    if error.kind is ErrorKind.UNAVAILABLE:
        return unavailable(error.detail)
    headers = _LATER if error.kind is ErrorKind.TOO_MANY_REQUESTS else ()
    return Refusal(error.kind, error.detail, headers=headers, final=error.final, **error.doubt)
