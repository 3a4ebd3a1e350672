"""
What a client sends.

==================  ====================================================================
auth                ``{"rpc":"auth","token":T,"uuid":U}``
call                ``{"rpc":NAME,"req":DATA,"uuid":U}``
subscribe           ``{"rpc":"_subscribe","req":{"channel":C},"uuid":U}``
unsubscribe         ``{"rpc":"_unsubscribe","req":{"channel":C},"uuid":U}``
publish             ``{"rpc":"_publish","req":{"channel":C,"data":D},"uuid":U}``
broadcast           ``{"rpc":"_broadcast","req":{"data":D},"uuid":U}``
answer to a call    ``{"rpc":"_rpc","fid":F,"resp":{"data":D}}`` or ``{"error":E}`` there
==================  ====================================================================
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ..errors import InvalidData, is_error
from ..jsontext import Malformed, decoder, dumps
from ..support.portable import Portable

__all__ = [
    "RESERVED_NAMES",
    "ActionAnswer",
    "Auth",
    "Broadcast",
    "Call",
    "ClientMessage",
    "InvalidRequest",
    "Publish",
    "RequestHead",
    "Subscribe",
    "Unsubscribe",
    "Uuid",
    "check_name",
    "decode_client_message",
    "decode_head",
    "encode_action_error",
    "encode_action_result",
    "encode_auth",
    "encode_broadcast",
    "encode_call",
    "encode_publish",
    "encode_subscribe",
    "encode_unsubscribe",
]

Uuid: TypeAlias = str | int | None
"""
What matches an answer to its request.  Servers echo whatever they got, so any client's
text or number will do.
"""

RESERVED_NAMES = frozenset(
    {"auth", "_rpc", "_subscribe", "_unsubscribe", "_publish", "_broadcast"}
)
"""Calls that are the protocol's own: they have methods instead."""


class InvalidRequest(Portable, ValueError):
    """
    Valid JSON, but not a request.

    :ivar rpc: its name, where it has one.
    :ivar uuid: what the answer must repeat.
    """

    def __init__(self, problem: str, rpc: str | None = None, uuid: Uuid = None) -> None:
        super().__init__(problem)
        self.rpc = rpc
        self.uuid = uuid


# -- encoding: the client's half ------------------------------------------------


class _Request(Struct, gc=False):
    rpc: str
    req: Any
    uuid: str


class _ChannelData(Struct):
    channel: str
    data: Any


class _Data(Struct):
    data: Any


class _ActionAnswer(Struct):
    rpc: str
    fid: str
    resp: Any


def check_name(name: object) -> str:
    """
    :return: ``name``, where a function may be called so.
    :raises InvalidData: for anything but non-empty text that can be sent and is not the
        protocol's own.
    """
    if not isinstance(name, str) or not name:
        raise InvalidData(f"a function's name must be non-empty text, not {name!r}")
    if name in RESERVED_NAMES:
        raise InvalidData(f"{name!r} is reserved by the protocol")
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InvalidData(f"the name {name!r} holds half of a surrogate pair") from None
    return name


def encode_auth(token: str, uuid: str) -> bytes:
    """The first message of a session: servers close where another follows before its answer."""
    return dumps({"rpc": "auth", "token": token, "uuid": uuid})


def encode_call(name: str, data: Any, uuid: str) -> bytes:
    """
    A call to the server.

    :param data: ``req``; :data:`msgspec.UNSET` leaves it out, as ``undefined`` does in
        JavaScript.
    :raises InvalidData: see :func:`~txtokensock.jsontext.dumps` and :func:`check_name`.
    """
    return dumps(_Request(check_name(name), data, uuid))


def encode_subscribe(channel: str, uuid: str) -> bytes:
    """:param channel: a checked name."""
    return dumps(_Request("_subscribe", {"channel": channel}, uuid))


def encode_unsubscribe(channel: str, uuid: str) -> bytes:
    """:param channel: a checked name."""
    return dumps(_Request("_unsubscribe", {"channel": channel}, uuid))


def encode_publish(channel: str, data: Any, uuid: str) -> bytes:
    """A publish.  ``data`` is always there: without it, JavaScript servers crash."""
    return dumps(_Request("_publish", _ChannelData(channel, _present(data)), uuid))


def encode_broadcast(data: Any, uuid: str) -> bytes:
    """A publish to all channels, see :func:`encode_publish`."""
    return dumps(_Request("_broadcast", _Data(_present(data)), uuid))


def encode_action_result(fid: str, data: Any) -> bytes:
    """The result of a call that the server made."""
    return dumps(_ActionAnswer("_rpc", fid, _Data(_present(data))))


def encode_action_error(fid: str, error: Any) -> bytes:
    """:param error: not falsy: peers would read that as success."""
    return dumps(_ActionAnswer("_rpc", fid, {"error": error}))


def _present(data: Any) -> Any:
    return None if data is UNSET else data


# -- decoding: the server's half ------------------------------------------------


class Auth(Struct, frozen=True):
    """:ivar token: as the client sent it: not yet checked, and secret."""

    token: str
    uuid: Uuid

    def __repr__(self) -> str:
        return "Auth(token=<hidden>)"


class Call(Struct, frozen=True):
    """:ivar data: None where the request had no ``req``."""

    name: str
    data: Any
    uuid: Uuid


class Subscribe(Struct, frozen=True):
    """:ivar channel: text, not yet checked further."""

    channel: str
    uuid: Uuid


class Unsubscribe(Struct, frozen=True):
    """:ivar channel: text, not yet checked further."""

    channel: str
    uuid: Uuid


class Publish(Struct, frozen=True):
    """:ivar data: None where the request had none."""

    channel: str
    data: Any
    uuid: Uuid


class Broadcast(Struct, frozen=True):
    """:ivar data: None where the request had none."""

    data: Any
    uuid: Uuid


class ActionAnswer(Struct, frozen=True):
    """
    The answer to a call that the server made.

    :ivar error: None for success, see :func:`~txtokensock.errors.is_error`.
    """

    fid: str
    data: Any = None
    error: Any = None


ClientMessage: TypeAlias = (
    Auth | Call | Subscribe | Unsubscribe | Publish | Broadcast | ActionAnswer
)


class _FromClient(Struct):
    rpc: Any = UNSET
    uuid: Any = None
    token: Any = UNSET
    fid: Any = UNSET
    req: msgspec.Raw | UnsetType = UNSET
    resp: msgspec.Raw | UnsetType = UNSET


class _PlainCall(Struct):
    rpc: str
    uuid: Uuid = None
    req: Any = None
    token: Any = None  # these two of others have to be readable as well
    fid: Any = None


class _PubSub(Struct):
    channel: str = ""
    data: Any = None


class _Outcome(Struct):
    data: Any = None
    error: Any = None


_OWN_NAME = b'{"rpc":"_'
"""How most of the protocol's own requests begin, as clients write them."""

_decode_call = decoder(_PlainCall)
_decode = decoder(_FromClient)
_decode_any = decoder(object)
_decode_pubsub = decoder(_PubSub)
_decode_outcome = decoder(_Outcome)


def decode_client_message(data: bytes) -> ClientMessage:
    """
    :param data: one SockJS message.
    :raises Malformed: if it is not valid JSON.
    :raises InvalidRequest: if it is valid JSON, but not a request.
    """
    if not data.startswith(_OWN_NAME):
        try:
            call = _decode_call(data)  # which most are, in one pass
        except Malformed:
            pass  # what is wrong is found out below
        else:
            if call.rpc not in RESERVED_NAMES:
                return Call(call.rpc, call.req, call.uuid)
    try:
        message = _decode(data)
    except Malformed:
        _decode_any(data)  # Malformed again, unless it is JSON of another shape
        raise InvalidRequest("a message must be an object") from None
    rpc, uuid = message.rpc, message.uuid
    if isinstance(uuid, bool) or not isinstance(uuid, str | int | None):
        uuid = None
    if not isinstance(rpc, str):
        raise InvalidRequest("rpc must be text", None, uuid)
    try:
        return _typed(message, rpc, uuid)
    except Malformed as problem:
        raise InvalidRequest(str(problem), rpc, uuid) from None


class RequestHead(Struct, frozen=True):
    """
    What the answer to a message repeats.

    :ivar rpc: its name.
    :ivar fid: which call of the server's it answers, where its name is ``_rpc``.
    """

    rpc: str
    uuid: Uuid = None
    fid: str | None = None


class _RawHead(Struct):
    rpc: msgspec.Raw = msgspec.Raw()
    uuid: msgspec.Raw = msgspec.Raw(b"null")
    fid: msgspec.Raw = msgspec.Raw(b"null")


_MEMBERS = rb'(?:"(?:rpc|uuid|fid)"\s*+:\s*+(?:"[^"\\]*+"|-?\d++)\s*+,?+\s*+)++'
_FIRST_MEMBERS = re.compile(rb"\s*+\{\s*+(" + _MEMBERS + rb")")
_LAST_MEMBERS = re.compile(rb",\s*+(" + _MEMBERS + rb")\}\s*+\Z")
_ENDS = 512

_MOST_REPEATED = 4096

_decode_raw_head = decoder(_RawHead)
_decode_head = decoder(RequestHead)


def decode_head(data: bytes) -> RequestHead | None:
    """
    Decode only what an answer repeats, of a message that is too much for anything else.

    :param data: one SockJS message.
    :return: None where that cannot be read, or is too large to be repeated.
    """
    try:
        raw = _decode_raw_head(data)
    except Malformed:
        # Perhaps it nests too deep for msgspec.  Clients write rpc first, and uuid first or last.
        first, last = _FIRST_MEMBERS.match(data[:_ENDS]), _LAST_MEMBERS.search(data[-_ENDS:])
        ends = [found.group(1).strip(b" \t\r\n,") for found in (first, last) if found]
        head = b"{" + b",".join(ends) + b"}"
    else:
        rpc, uuid, fid = bytes(raw.rpc), bytes(raw.uuid), bytes(raw.fid)
        if len(rpc) + len(uuid) + len(fid) > _MOST_REPEATED:
            return None
        if uuid[:1] not in b'"-0123456789':
            uuid = b"null"
        head = b'{"rpc":%b,"uuid":%b,"fid":%b}' % (rpc, uuid, fid)
    try:
        return _decode_head(head)
    except Malformed:
        return None


def _typed(message: _FromClient, rpc: str, uuid: Uuid) -> ClientMessage:
    if rpc == "auth":
        if not isinstance(message.token, str):
            raise Malformed("auth needs a token that is text")
        return Auth(message.token, uuid)
    if rpc == "_rpc":
        if not isinstance(message.fid, str):
            raise Malformed("an answer needs a fid that is text")
        outcome = _Outcome() if message.resp is UNSET else _decode_outcome(bytes(message.resp))
        error = outcome.error if is_error(outcome.error) else None
        return ActionAnswer(message.fid, outcome.data, error)
    if rpc not in RESERVED_NAMES:
        request = None if message.req is UNSET else _decode_any(bytes(message.req))
        return Call(rpc, request, uuid)
    if message.req is UNSET:
        raise Malformed(f"{rpc} needs req")
    pubsub = _decode_pubsub(bytes(message.req))
    if rpc == "_broadcast":
        return Broadcast(pubsub.data, uuid)
    if rpc == "_publish":
        return Publish(pubsub.channel, pubsub.data, uuid)
    return (Subscribe if rpc == "_subscribe" else Unsubscribe)(pubsub.channel, uuid)
