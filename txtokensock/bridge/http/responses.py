"""
What HTTP requests are answered, right or wrong (no I/O).

Errors have the shape of Crossbar's: a URI, and what belongs to it as ``args`` and
``kwargs``.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from twisted.internet.defer import CancelledError

from ...errors import (
    CallTimeout,
    ConnectionLost,
    Forbidden,
    FunctionNotFound,
    InvalidChannel,
    InvalidData,
    RemoteError,
    TokenSocketError,
)
from ...jsontext import dumps

__all__ = ["ApiResponse", "Refusal", "answer", "forbidden", "refusal_of", "unavailable"]

JSON = "application/json"


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
    headers: tuple[tuple[str, str], ...] = (("content-type", JSON),)
    final: bool = True


def answer(status: int, body: Any, *, final: bool = True) -> ApiResponse:
    """An answer in JSON."""
    return ApiResponse(status, dumps(body) + b"\n", final=final)


class Refusal(Exception):
    """
    A request that is answered with an error.

    :param status: of HTTP.
    :param uri: says to programs what it is.
    :param args: what belongs to it: a text for people, or the server's own error.
    :param headers: more of them.
    :param final: see :class:`ApiResponse`.
    :param kwargs: more of what belongs to it.
    """

    def __init__(
        self,
        status: int,
        uri: str,
        *args: Any,
        headers: tuple[tuple[str, str], ...] = (),
        final: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(f"{status} {uri}")
        self.uri = uri
        self._body = {"error": uri, "args": args, "kwargs": kwargs}
        self._status = status
        self._headers = headers
        self._final = final

    @property
    def answer(self) -> ApiResponse:
        """As it is sent."""
        headers = (("content-type", JSON), *self._headers)
        return ApiResponse(self._status, dumps(self._body) + b"\n", headers, self._final)


def unavailable(reason: str) -> Refusal:
    """503: nothing was done, and it may work later."""
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "wamp.error.unavailable",
        reason,
        headers=(("retry-after", "1"),),
    )


def forbidden(reason: str) -> Refusal:
    """403: this key may not do that."""
    return Refusal(HTTPStatus.FORBIDDEN, "wamp.error.not_authorized", reason)


def refusal_of(problem: BaseException) -> Refusal:
    """
    What the failure of a call or publish upstream is answered.  Where it may be that it
    was done, ``kwargs`` say so.
    """
    if isinstance(problem, FunctionNotFound):
        uri = "tokensock.error.function_not_found"
        return Refusal(HTTPStatus.NOT_FOUND, uri, problem.error, final=True)
    if isinstance(problem, Forbidden):
        return Refusal(
            HTTPStatus.FORBIDDEN, "tokensock.error.forbidden", problem.error, final=True
        )
    if isinstance(problem, RemoteError):
        return Refusal(HTTPStatus.BAD_GATEWAY, "tokensock.error.remote", problem.error, final=True)
    if isinstance(problem, CallTimeout):
        return Refusal(
            HTTPStatus.GATEWAY_TIMEOUT,
            "tokensock.error.timeout",
            str(problem),
            final=problem.may_have_run,
            may_have_run=problem.may_have_run,
        )
    if isinstance(problem, ConnectionLost):
        return Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "tokensock.error.disconnected",
            str(problem),
            final=problem.may_have_run,
            may_have_run=problem.may_have_run,
        )
    if isinstance(problem, InvalidData | InvalidChannel):
        return Refusal(HTTPStatus.BAD_REQUEST, "wamp.error.invalid_argument", str(problem))
    if isinstance(problem, CancelledError):
        return unavailable("the bridge is stopping")
    if isinstance(problem, TokenSocketError):  # the queue is full, the client is stopped
        return unavailable(str(problem))
    raise problem
