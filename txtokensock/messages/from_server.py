"""
What a server sends.

=================  =====================================================================
answer             ``{"rpc":NAME,"uuid":U,"resp":DATA}``, or ``"error"`` instead of
                   ``"resp"``; to ``auth`` the same, ours with
                   ``"tx":{"acks":1,"limits":{...}}``; ours has ``"tx":{"leaving":1}``
                   beside the error of what it did not begin, for it closes soon
call to client     ``{"internal":true,"command":"rpc","data":{"fid":F,"command":NAME,
                   "args":DATA}}``
subscribed         ``{"internal":true,"command":"subscribe","data":{"channel":C}}``; 3.1.0
                   repeats the request's fields in ``data``, ``uuid`` among them; ours sends
                   it again, with ``"gap":SECONDS`` in ``data``, where messages may be missing
unsubscribed       ``{"internal":true,"command":"unsubscribe","data":{"channel":C}}``
channel message    ``{"channel":C,"message":D}``
error              ``{"error":E}``: nobody knows what for
=================  =====================================================================
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from ..errors import InvalidData, is_error
from ..jsontext import Malformed, decoder, dumps
from .announced_limits import AnnouncedLimits
from .from_client import Uuid

__all__ = [
    "Answer",
    "ChannelMessage",
    "ServerCall",
    "ServerError",
    "ServerMessage",
    "Subscribed",
    "Unsubscribed",
    "decode_server_message",
    "encode_answer",
    "encode_auth_success",
    "encode_channel_json",
    "encode_channel_message",
    "encode_error",
    "encode_error_answer",
    "encode_gap",
    "encode_leaving",
    "encode_server_call",
    "encode_subscribed",
    "encode_subscribed_with_request",
    "encode_unsubscribed",
]


class Answer(Struct, frozen=True, gc=False):
    """
    :ivar uuid: the request's.
    :ivar result: None where there was none; meaningless beside an error.
    :ivar error: None for success, see :func:`~txtokensock.errors.is_error`.
    :ivar acks: on the answer to ``auth``: the server acknowledges every request.
    :ivar limits: there as well, the limits that the server announces.
    :ivar expires: there as well, the seconds after which the server ends the connection, unless
        it is authenticated anew; None where that is not said.
    :ivar leaving: beside an error: the server has not begun with the request, and closes the
        connection as soon as it has answered what came before.
    """

    uuid: str
    result: Any = None
    error: Any = None
    acks: bool = False
    limits: AnnouncedLimits | None = None
    leaving: bool = False
    expires: float | None = None


class ServerCall(Struct, frozen=True):
    """
    The server calls an action of the client.

    :ivar fid: what the answer must repeat.
    """

    fid: str
    name: str
    data: Any = None


class Subscribed(Struct, frozen=True):
    """
    :ivar uuid: of the request, from 3.1.0 alone.
    :ivar gap: seconds until now in which messages may be missing, where the server says so.
    """

    channel: str
    uuid: str | None = None
    gap: float | None = None


class Unsubscribed(Struct, frozen=True):
    """The server sends no more of the channel, on request or by itself."""

    channel: str


class ChannelMessage(Struct, frozen=True, gc=False):
    """A message that was published or broadcast."""

    channel: str
    message: Any


class ServerError(Struct, frozen=True):
    """An error for no request in particular."""

    error: Any


ServerMessage: TypeAlias = (
    Answer | ServerCall | Subscribed | Unsubscribed | ChannelMessage | ServerError
)


# -- decoding: the client's half ------------------------------------------------


class _FromServer(Struct, gc=False):
    """Every field of every shape: one pass over the text finds out which it is."""

    uuid: str | None = None
    resp: Any = None
    error: Any = None
    channel: str | None = None
    message: Any = None
    internal: bool = False
    command: str | None = None
    data: msgspec.Raw | UnsetType = UNSET
    tx: Any = None


class _CallData(Struct):
    fid: str
    command: str
    args: Any = None


class _ChannelData(Struct):
    channel: str
    uuid: str | None = None
    gap: Any = None


_decode = decoder(_FromServer)
_decode_call = decoder(_CallData)
_decode_channel = decoder(_ChannelData)


def decode_server_message(data: bytes) -> ServerMessage:
    """
    :param data: one SockJS message.
    :return: the message; for an answer whose JSON cannot be read, one with an error that says
        so, for whoever waits for it.
    :raises Malformed: if it is none of the shapes above.
    """
    try:
        message = _decode(data)
    except Malformed as problem:
        uuid = _answered_uuid(data)
        if uuid is None:
            raise
        return Answer(uuid, error=f"the answer cannot be read: {problem}")
    if message.internal:
        return _internal(message)
    if message.uuid is not None:
        error = message.error
        if error is not None and not is_error(error):
            error = None
        answer = Answer(message.uuid, message.resp, error)
        return answer if message.tx is None else _with_hints(answer, message.tx)
    if message.channel is not None:
        return ChannelMessage(message.channel, message.message)
    if message.error is not None:
        return ServerError(message.error)
    raise Malformed("a message of no known shape")


def _with_hints(answer: Answer, tx: Any) -> Answer:
    if not isinstance(tx, dict):
        return answer
    return replace(
        answer,
        acks=tx.get("acks") == 1,
        limits=AnnouncedLimits.of(tx.get("limits")),
        leaving=answer.error is not None and tx.get("leaving") == 1,
        expires=_seconds(tx.get("expires")),
    )


_ANSWER_HEAD = re.compile(
    rb'\s*\{\s*(?:"rpc"\s*:\s*"(?:[^"\\]|\\.)*"\s*,\s*)?"uuid"\s*:\s*"([^"\\]*)"'
)
"""Servers write an answer's data last; what is nested too deep can only be read up to there."""


def _answered_uuid(data: bytes) -> str | None:
    """The request that text is the answer to, where msgspec cannot read the text."""
    head = _ANSWER_HEAD.match(data)
    if head is not None:
        return head.group(1).decode("utf-8", "replace")
    try:
        message = json.loads(data.decode("utf-8", "replace"))  # takes NaN and 1e999
    except (ValueError, RecursionError):
        return None
    uuid = message.get("uuid") if isinstance(message, dict) else None
    return uuid if isinstance(uuid, str) else None


def _internal(message: _FromServer) -> ServerMessage:
    if message.data is UNSET:
        raise Malformed("an internal message without data")
    data = bytes(message.data)
    match message.command:
        case "rpc":
            call = _decode_call(data)
            return ServerCall(call.fid, call.command, call.args)
        case "subscribe":
            notice = _decode_channel(data)
            return Subscribed(notice.channel, notice.uuid, _seconds(notice.gap))
        case "unsubscribe":
            return Unsubscribed(_decode_channel(data).channel)
    raise Malformed("an internal message of no known command")


def _seconds(value: Any) -> float | None:
    """Anything may be there: 3.1.0 repeats all of a request, for one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e9 else None


# -- encoding: the server's half --------------------------------------------------


class _Hints(Struct):
    """What the answer to ``auth`` says of our server; JavaScript clients do not look at it."""

    acks: int
    limits: AnnouncedLimits
    expires: int | UnsetType = UNSET


class _Success(Struct, omit_defaults=True):
    rpc: str
    uuid: Uuid = None
    resp: Any = UNSET
    tx: _Hints | UnsetType = UNSET


class _Refusal(Struct, omit_defaults=True):
    rpc: str | None = None
    uuid: Uuid = None
    error: Any = UNSET
    tx: Any = UNSET


class _Internal(Struct):
    internal: bool
    command: str
    data: Any


class _Message(Struct):
    channel: str
    message: Any


def encode_answer(rpc: str, uuid: Uuid, result: Any) -> bytes:
    """
    A result.

    :raises InvalidData: if it has no JSON form.
    """
    return dumps(_Success(rpc, uuid, result))


def encode_auth_success(
    uuid: Uuid, limits: AnnouncedLimits | None = None, expires: float | None = None
) -> bytes:
    """
    The answer to ``auth``.  The originals repeat the token in it; clients do not
    look at it there, so it is left out.

    :param limits: of a server that acknowledges every request; None leaves all hints out.
    :param expires: seconds after which it ends the connection, if it will.
    """
    seconds = UNSET if expires is None else max(0, int(expires))
    tx = UNSET if limits is None else _Hints(1, limits, seconds)
    return dumps(_Success("auth", uuid, "success", tx))


def encode_error_answer(rpc: str | None, uuid: Uuid, error: Any) -> bytes:
    """
    :param error: not falsy: that would be read as success.  What has no JSON form, as that of an
        application may have none, is "Error".
    """
    try:
        return dumps(_Refusal(rpc, uuid, error))
    except InvalidData:
        return dumps(_Refusal(rpc, uuid, "Error"))


def encode_leaving(rpc: str | None, uuid: Uuid, error: str) -> bytes:
    """The error of a request that was not begun, for the connection is about to be closed."""
    return dumps(_Refusal(rpc, uuid, error, {"leaving": 1}))


def encode_error(error: Any) -> bytes:
    """An error for text that names no request."""
    return dumps(_Refusal(error=error))


def encode_server_call(fid: str, name: str, data: Any) -> bytes:
    """A call to an action of the client."""
    return dumps(_Internal(True, "rpc", _CallData(fid, name, data)))


def encode_subscribed(channel: str) -> bytes:
    """The plain form, of 2.1.11: every JavaScript client takes it."""
    return dumps(_Internal(True, "subscribe", {"channel": channel}))


def encode_gap(channel: str, seconds: float) -> bytes:
    """Subscribed again after a time in which messages may be missing."""
    return dumps(_Internal(True, "subscribe", {"channel": channel, "gap": round(seconds, 3)}))


def encode_subscribed_with_request(channel: str, uuid: Uuid) -> bytes:
    """The form of 3.1.0, which repeats the request; npm's clients want the plain one."""
    request = {"rpc": "_subscribe", "req": {"channel": channel}, "channel": channel}
    repeated = request if uuid is None else {**request, "uuid": uuid}
    return dumps(_Internal(True, "subscribe", repeated))


def encode_unsubscribed(channel: str) -> bytes:
    """The same from every server."""
    return dumps(_Internal(True, "unsubscribe", {"channel": channel}))


def encode_channel_message(channel: str, message: Any) -> bytes:
    """Encoded once, however many peers get it."""
    return dumps(_Message(channel, message))


def encode_channel_json(channel: str, message: bytes) -> bytes:
    """
    A message that is encoded already.

    :param message: JSON, as :func:`~txtokensock.jsontext.dumps` writes it; it is not
        looked at again.
    """
    return msgspec.json.encode(_Message(channel, msgspec.Raw(message)))
