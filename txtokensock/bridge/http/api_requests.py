"""
Requests of ``/call``, ``/publish`` and ``/broadcast``, read and checked (no I/O).

Both ways to say it can be mixed: Crossbar's, ``procedure`` or ``topic`` with ``args`` and
``kwargs``, and token-sockjs's, ``rpc`` or ``channel`` with ``data``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import UsageError
from ...jsontext import Malformed, loads
from ...messages import check_channel
from ...messages.from_client import check_name
from ...support.checks import check_seconds
from ..arguments import data_of
from ..error_table import ErrorKind
from .responses import Refusal

__all__ = ["ApiRequest", "bad_request", "read_broadcast", "read_call", "read_publish"]


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """
    :ivar name: of the function or the channel; empty for a broadcast.
    :ivar data: what goes with it.
    :ivar timeout: seconds, of a call; None for the usual.
    """

    name: str
    data: Any
    timeout: float | None = None


def bad_request(reason: str) -> Refusal:
    """400: the request cannot be understood; the text says why."""
    return Refusal(ErrorKind.INVALID_ARGUMENT, reason)


def read_call(body: bytes) -> ApiRequest:
    """
    ``{"procedure": "sum", "args": [1, 2]}`` or ``{"rpc": "sum", "data": [1, 2]}``.

    :raises Refusal: 400, with the reason.
    """
    fields = _fields(body, "procedure", "rpc", "timeout")
    name = _name(fields, "procedure", "rpc")
    try:
        check_name(name)
        timeout = check_seconds.optional("timeout", fields.get("timeout"))
    except UsageError as problem:
        raise bad_request(str(problem)) from None
    return ApiRequest(name, _data(fields), timeout)


def read_publish(body: bytes) -> ApiRequest:
    """
    ``{"topic": "news", "args": ["it rains"]}`` or ``{"channel": "news", "data": "it rains"}``.

    :raises Refusal: 400, with the reason.
    """
    fields = _fields(body, "topic", "channel")
    name = _name(fields, "topic", "channel")
    try:
        check_channel(name)
    except UsageError as problem:
        raise bad_request(str(problem)) from None
    return ApiRequest(name, _data(fields))


def read_broadcast(body: bytes) -> ApiRequest:
    """
    ``{"args": ["it rains"]}`` or ``{"data": "it rains"}``.  A name has no place in it: what
    was signed for one channel must not go to everybody.

    :raises Refusal: 400, with the reason.
    """
    fields = _fields(body)
    if not fields.keys() & {"args", "kwargs", "data"}:
        raise bad_request("there is neither data nor args")
    return ApiRequest("", _data(fields))


def _fields(body: bytes, *names: str) -> dict[str, Any]:
    """The object that a body is, with nothing in it that would be ignored."""
    try:
        fields = loads(body)
    except Malformed as problem:
        raise bad_request(f"the body is not valid JSON: {problem}") from None
    if not isinstance(fields, dict):
        raise bad_request("the body is not a JSON object")
    known = {*names, "data", "args", "kwargs", "options"}
    if unknown := sorted(fields.keys() - known):
        raise bad_request(f"{unknown[0]!r} is not a member of this request")
    _check_options(fields.get("options"))
    return fields


def _check_options(options: Any) -> None:
    """Crossbar's: those that choose receivers would choose among WAMP sessions."""
    if options is None:
        return
    if not isinstance(options, dict):
        raise bad_request("options must be an object")
    for name, value in options.items():
        if name != "acknowledge" and value is not None:
            raise bad_request(f"the option {name!r} is not supported")


def _name(fields: dict[str, Any], *names: str) -> str:
    given = [name for name in names if name in fields]
    if len(given) != 1:
        one, other = names
        raise bad_request(
            f"there is both {one} and {other}" if given else f"there is neither {one} nor {other}"
        )
    name = fields[given[0]]
    if not isinstance(name, str):
        raise bad_request(f"{given[0]} must be text")
    return name


def _data(fields: dict[str, Any]) -> Any:
    """
    ``data`` as it is, or arguments as one value, see :func:`~.arguments.data_of`.
    """
    args, kwargs = fields.get("args"), fields.get("kwargs")
    if not isinstance(args or [], list) or not isinstance(kwargs or {}, dict):
        raise bad_request("args must be an array, and kwargs an object")
    if "data" in fields:
        if args or kwargs:
            raise bad_request("data and args (or kwargs) exclude each other")
        return fields["data"]
    return data_of(args, kwargs)
