"""
What went wrong, in the words of each neighbour: one table for all sides (no I/O).

A kind of error has a URI, which WAMP callers get, which is in the body for HTTP callers, and
in the ``error`` of an answer to the server; and a status of HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

from twisted.internet.defer import CancelledError

from ..errors import (
    CallTimeout,
    ConnectionLost,
    Forbidden,
    FunctionNotFound,
    InvalidChannel,
    InvalidData,
    MessageTooLarge,
    NetworkError,
    RemoteError,
    TokenSocketError,
    UsageError,
)

__all__ = [
    "BridgeError",
    "ErrorKind",
    "NeighbourTimeout",
    "NeighbourUnavailable",
    "ShareExceeded",
    "action_error",
    "classify",
]


class NeighbourUnavailable(NetworkError):
    """There is no connection to the neighbour of a side, or none any more."""


class NeighbourTimeout(NetworkError, TimeoutError):
    """The neighbour of a side, or what is behind it, did not answer in time."""


class ShareExceeded(UsageError):
    """A caller would use more of the connection upstream than its share: it may later."""


class ErrorKind(Enum):
    """
    The kinds of errors: all that a neighbour is told is one of these.

    :ivar uri: says to programs what it is.
    :ivar status: of an HTTP response.
    """

    # Of the server.
    FUNCTION_NOT_FOUND = ("tokensock.error.function_not_found", HTTPStatus.NOT_FOUND)
    FORBIDDEN = ("tokensock.error.forbidden", HTTPStatus.FORBIDDEN)
    REMOTE = ("tokensock.error.remote", HTTPStatus.BAD_GATEWAY)
    # On the way to it, or to a neighbour.
    TIMEOUT = ("tokensock.error.timeout", HTTPStatus.GATEWAY_TIMEOUT)
    DISCONNECTED = ("tokensock.error.disconnected", HTTPStatus.SERVICE_UNAVAILABLE)
    UNAVAILABLE = ("wamp.error.unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
    CANCELED = ("wamp.error.canceled", HTTPStatus.SERVICE_UNAVAILABLE)
    # Of the caller.
    INVALID_ARGUMENT = ("wamp.error.invalid_argument", HTTPStatus.BAD_REQUEST)
    TOO_LARGE = ("tokensock.error.too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    TOO_MANY_REQUESTS = ("tokensock.error.too_many_requests", HTTPStatus.TOO_MANY_REQUESTS)
    AUTHENTICATION_FAILED = ("wamp.error.authentication_failed", HTTPStatus.UNAUTHORIZED)
    NOT_AUTHORIZED = ("wamp.error.not_authorized", HTTPStatus.FORBIDDEN)
    NO_SUCH_PAGE = ("tokensock.error.no_such_page", HTTPStatus.NOT_FOUND)
    NO_SUCH_METHOD = ("tokensock.error.no_such_page", HTTPStatus.METHOD_NOT_ALLOWED)
    KEY_USED_OTHERWISE = ("tokensock.error.idempotency_key", HTTPStatus.UNPROCESSABLE_ENTITY)
    ANSWER_NOT_KEPT = ("tokensock.error.idempotency_key", HTTPStatus.CONFLICT)
    # Of the neighbour's answer, or of our own.
    INVALID_PAYLOAD = ("wamp.error.invalid_payload", HTTPStatus.BAD_GATEWAY)
    RUNTIME_ERROR = ("wamp.error.runtime_error", HTTPStatus.INTERNAL_SERVER_ERROR)

    def __init__(self, uri: str, status: HTTPStatus) -> None:
        self.uri = uri
        self.status = status


_KINDS: tuple[tuple[type[BaseException], ErrorKind], ...] = (
    (FunctionNotFound, ErrorKind.FUNCTION_NOT_FOUND),
    (Forbidden, ErrorKind.FORBIDDEN),
    (RemoteError, ErrorKind.REMOTE),
    (CallTimeout, ErrorKind.TIMEOUT),
    (ConnectionLost, ErrorKind.DISCONNECTED),
    (NeighbourTimeout, ErrorKind.TIMEOUT),
    (NeighbourUnavailable, ErrorKind.UNAVAILABLE),
    (MessageTooLarge, ErrorKind.TOO_LARGE),
    (InvalidData, ErrorKind.INVALID_ARGUMENT),
    (InvalidChannel, ErrorKind.INVALID_ARGUMENT),
    (ShareExceeded, ErrorKind.TOO_MANY_REQUESTS),
    (TokenSocketError, ErrorKind.UNAVAILABLE),  # the queue is full, the client is stopped
    (CancelledError, ErrorKind.CANCELED),
)
"""Exceptions to kinds; the first that fits counts, and all others are errors of ours."""


@dataclass(frozen=True, slots=True)
class BridgeError:
    """
    What somebody is told of a failure.

    :ivar detail: the server's own error as it is, or a text for people.
    :ivar may_have_run: whether it may have been done all the same; None where an answer, or
        the nature of the failure, leaves no doubt.
    """

    kind: ErrorKind
    detail: Any
    may_have_run: bool | None = None

    @property
    def doubt(self) -> dict[str, Any]:
        """``may_have_run`` as further data for the caller, where there is a doubt."""
        return {} if self.may_have_run is None else {"may_have_run": self.may_have_run}

    @property
    def final(self) -> bool:
        """Whether to ask again could do it twice: it ran and failed, or may have run."""
        return self.kind is ErrorKind.REMOTE or bool(self.may_have_run)


def classify(problem: BaseException | None) -> BridgeError:
    """
    What to tell of an exception.  Of one that is an error of ours, only the type is told.
    """
    kind = next((kind for types, kind in _KINDS if isinstance(problem, types)), None)
    if kind is None:
        return BridgeError(ErrorKind.RUNTIME_ERROR, type(problem).__name__)
    if isinstance(problem, RemoteError):
        return BridgeError(kind, problem.error)
    if isinstance(problem, CancelledError):
        return BridgeError(kind, "the call was withdrawn")
    return BridgeError(kind, str(problem), getattr(problem, "may_have_run", None))


def action_error(kind: ErrorKind, message: str, **more: Any) -> dict[str, Any]:
    """
    What the server is answered whose call failed at a neighbour.

    :param message: for people.
    :param more: what else there is to say.
    """
    return {"error": kind.uri, "message": message, **more}
