"""
What an attacker sends as a message, and what the server says to it: data.

Each family is a function that says what its members have in common.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from txtokensock.server import close_codes
from txtokensock.server.close_codes import CloseCode

__all__ = ["MESSAGES", "Case"]

UUID4 = "550e8400-e29b-41d4-a716-446655440000"


@dataclass(frozen=True, slots=True)
class Case:
    """
    :ivar name: of the case.
    :ivar texts: the messages, in one frame.
    :ivar stranger: the answers before ``auth``.
    :ivar stranger_closed: how the session is closed then, None if it is not.
    :ivar peer: the answers after ``auth``.
    :ivar peer_closed: how the session is closed then.
    :ivar heard: what the witness, who is on the channel "witness", hears after ``auth``.
    """

    name: str
    texts: tuple[str, ...]
    stranger: list[Any]
    stranger_closed: CloseCode | None
    peer: list[Any]
    peer_closed: CloseCode | None = None
    heard: tuple[Any, ...] = ()


TOO_LARGE = close_codes.MESSAGE_TOO_LARGE.naming("message_size", 1024 * 1024)
TOO_DEEP = close_codes.NESTED_TOO_DEEP.naming("json_depth", 64)


def _text(message: Any) -> str:
    return message if isinstance(message, str) else json.dumps(message)


# -- families


def noise(name: str, *texts: str) -> Case:
    """No JSON: so it is said, to everybody, and no harm done."""
    answers = [{"error": "Invalid message"}] * len(texts)
    return Case(name, texts, answers, None, answers)


def shape(name: str, message: Any, **repeated: Any) -> Case:
    """JSON, but no request; the answer repeats what it can of it."""
    return Case(
        name,
        (_text(message),),
        [{**repeated, "error": "Forbidden"}],
        close_codes.NOT_AUTHENTICATED,
        [{**repeated, "error": "Invalid request"}],
    )


def request(
    name: str,
    message: dict[str, Any] | str,
    *answers: Any,
    closed: CloseCode | None = None,
    heard: tuple[Any, ...] = (),
    **repeated: Any,
) -> Case:
    """A request, which a stranger may not make."""
    if not isinstance(message, str):
        repeated = {key: message[key] for key in ("rpc", "uuid") if key in message} | repeated
    repeated = {key: value for key, value in repeated.items() if value is not None}
    forbidden = [{**repeated, "error": "Forbidden"}]
    text = (_text(message),)
    return Case(name, text, forbidden, close_codes.NOT_AUTHENTICATED, list(answers), closed, heard)


def unknown(name: str, rpc: str) -> Case:
    """A function that is not there, whatever JavaScript or Python have of that name."""
    answer = {"rpc": rpc, "uuid": "u", "error": "Function not found"}
    return request(name, {"rpc": rpc, "req": 1, "uuid": "u"}, answer)


def uuid(name: str, value: Any, repeated: Any) -> Case:
    """A call whose uuid is what it is; the answer repeats text and whole numbers."""
    same = {} if repeated is None else {"uuid": repeated}
    message = {"rpc": "echo", "req": 1, "uuid": value}
    return request(name, message, {"rpc": "echo", **same, "resp": 1}, uuid=repeated)


def token(name: str, value: Any) -> Case:
    """An ``auth`` with text that is no token: the end, for whoever says it."""
    answer = [{"rpc": "auth", "uuid": "u", "error": "Token not found"}]
    end = close_codes.AUTHENTICATION_REFUSED
    text = _text({"rpc": "auth", "token": value, "uuid": "u"})
    return Case(name, (text,), answer, end, answer, end)


def bad(name: str, message: dict[str, Any]) -> Case:
    """A request of the protocol's own whose fields make no sense."""
    return shape(name, {**message, "uuid": "u"}, rpc=message["rpc"], uuid="u")


def pubsub(name: str, rpc: str, req: Any, *answers: Any, **more: Any) -> Case:
    """A request about channels."""
    message = {"rpc": rpc, "req": req, "uuid": "u"}
    return request(name, message, *answers, **more)


def refused(name: str, rpc: str, req: Any, error: str = "Forbidden", **more: Any) -> Case:
    """A request about channels that nobody is granted."""
    return pubsub(name, rpc, req, {"rpc": rpc, "uuid": "u", "error": error}, **more)


def subscribed(name: str, channel: str, really: str | None = None) -> Case:
    """Any text is a channel."""
    notice = {"internal": True, "command": "subscribe", "data": {"channel": really or channel}}
    return pubsub(name, "_subscribe", {"channel": channel}, success("_subscribe"), notice)


def crossed(name: str, end: CloseCode, *texts: str) -> Case:
    """A limit is crossed, by whomever."""
    return Case(name, texts, [], end, [], end)


def answered(name: str, limit: str, text: str, rpc: str = "echo") -> Case:
    """A limit that a client can cross by accident: it is told which, and stays."""
    answer = {"rpc": rpc, "uuid": "u", "error": TEXTS[limit]}
    return request(name, text, answer, rpc=rpc, uuid="u")


TEXTS = {
    "message_size": "Message too large: the limit message_size is 1048576 bytes",
    "json_depth": "JSON nested too deep: the limit json_depth is 64 lists and objects",
    "channel_length": "Channel name too long: the limit channel_length is 256 bytes",
}


def unanswered(name: str, message: Any) -> Case:
    """An answer to a call that nobody made, which is dropped in silence."""
    return request(name, {"rpc": "_rpc", **message})


def success(rpc: str) -> dict[str, Any]:
    return {"rpc": rpc, "uuid": "u", "resp": "success"}


def unsubscribed(channel: str) -> dict[str, Any]:
    return {"internal": True, "command": "unsubscribe", "data": {"channel": channel}}


def echo(req: str) -> str:
    return f'{{"rpc":"echo","uuid":"u","req":{req}}}'


def echoed(name: str, req: str, resp: Any) -> Case:
    """A call with any JSON at all."""
    answer = {"rpc": "echo", "uuid": "u", "resp": resp}
    return request(name, echo(req), answer, rpc="echo", uuid="u")


PUBSUB = ("_subscribe", "_unsubscribe", "_publish", "_broadcast")
CHANNELLED = PUBSUB[:3]
RESERVED = ("___all___", "___sync___", "__all__")
OTHER_TYPES = {"null": None, "number": 5, "list": ["witness"], "object": {}, "true": True}

MESSAGES: list[Case] = [
    # -- no JSON
    noise("empty", ""),
    noise("blank", "  \t\n"),
    noise("brace", "{"),
    noise("closing_brace", "}"),
    noise("bracket", "["),
    noise("crossed_brackets", "{]"),
    noise("word", "nul"),
    noise("undefined", "undefined"),
    noise("nan", '{"rpc":"echo","req":NaN}'),
    noise("infinity", '{"rpc":"echo","req":-Infinity}'),
    noise("hexadecimal", '{"rpc":"echo","req":0x10}'),
    noise("leading_zero", '{"rpc":"echo","req":01}'),
    noise("minus", "-"),
    noise("single_quotes", "{'rpc':'echo'}"),
    noise("no_quotes", "{rpc:1}"),
    noise("trailing_comma", '{"rpc":"echo",}'),
    noise("comment", '{"rpc":"echo"/**/}'),
    noise("too_much", '{"rpc":"echo"}}'),
    noise("two_objects", '{"rpc":"echo"}{"rpc":"echo"}'),
    noise("nul", "\0"),
    noise("nul_at_the_end", '{"rpc":"echo"}\0'),
    noise("byte_order_mark", '\ufeff{"rpc":"echo"}'),
    noise("control_character_in_text", '{"rpc":"ec\nho"}'),
    noise("unknown_escape", '{"rpc":"\\x41"}'),
    noise("half_an_escape", '{"rpc":"\\u12'),
    noise("text_without_an_end", '{"rpc":"echo'),
    noise("quotes_without_an_end", '"' + '\\"' * 200_000 + "[" * 65),
    noise("backslashes_without_an_end", '"' + "\\" * 400_001 + "[" * 65),
    noise("key_without_value", '{"rpc"}'),
    noise("list_as_key", '{[]:"rpc"}'),
    noise("xml", "<rpc>echo</rpc>"),
    noise("http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    noise("redis", "*1\r\n$8\r\nFLUSHALL\r\n"),
    noise("sockjs_frame", 'a["{}"]'),
    noise("sql", "'; DROP TABLE tokens; --"),
    noise("pickle", "cos\nsystem\n(S'true'\ntR."),
    noise("a_thousand_of_them", *["{"] * 1000),
    # -- JSON of other shapes
    shape("null", "null"),
    shape("true", "true"),
    shape("number", "5"),
    shape("minus_zero", "-0.0"),
    shape("text", '"text"'),
    shape("empty_list", "[]"),
    shape("list", '[{"rpc":"echo"}]'),
    shape("list_of_null", "[null]"),
    shape("empty_object", {}),
    shape("no_rpc", {"req": 1, "uuid": "u"}, uuid="u"),
    shape("rpc_null", {"rpc": None, "uuid": "u"}, uuid="u"),
    shape("rpc_number", {"rpc": 5, "uuid": "u"}, uuid="u"),
    shape("rpc_float", {"rpc": 5.5, "uuid": "u"}, uuid="u"),
    shape("rpc_true", {"rpc": True, "uuid": "u"}, uuid="u"),
    shape("rpc_object", {"rpc": {"a": 1}, "uuid": "u"}, uuid="u"),
    shape("rpc_list", {"rpc": ["echo"], "uuid": "u"}, uuid="u"),
    shape("rpc_list_of_auth", {"rpc": ["auth"], "token": UUID4}),
    shape("rpc_and_uuid_objects", {"rpc": {}, "uuid": {}}),
    shape("proto", '{"__proto__":{"rpc":"echo"}}'),
    shape("constructor", '{"constructor":{"prototype":{"rpc":"echo"}}}'),
    shape("a_servers_notice", {"internal": True, "command": "subscribe", "data": {}}),
    shape("a_servers_call", {"internal": True, "command": "rpc", "data": {"fid": "1"}}),
    shape("a_servers_message", {"channel": "witness", "message": 1}),
    shape("an_error", {"error": "x"}),
    shape("empty_keys", '{"":"","":""}'),
    shape("too_large_a_number", '{"rpc":"echo","req":1e400}', rpc="echo"),
    shape("a_number_of_5000_digits", '{"rpc":"echo","req":' + "7" * 5000 + "}", rpc="echo"),
    shape("a_fraction_of_5000_digits", '{"rpc":"echo","req":' + "7" * 5000 + ".5}", rpc="echo"),
    # -- uuids
    uuid("uuid_null", None, None),
    uuid("uuid_zero", 0, 0),
    uuid("uuid_number", 7, 7),
    uuid("uuid_large_number", 2**70, 2**70),
    uuid("uuid_float", 1.5, None),
    uuid("uuid_true", True, None),
    uuid("uuid_object", {"toString": 1}, None),
    uuid("uuid_list", ["u"], None),
    uuid("uuid_empty", "", ""),
    uuid("uuid_long", "u" * 100_000, "u" * 100_000),
    uuid("uuid_proto", "__proto__", "__proto__"),
    uuid("uuid_script", "</script>\u2028\0", "</script>\u2028\0"),
    uuid("uuid_half_a_pair", "\ud800", "\ufffd"),
    # -- names of functions
    *(
        unknown(f"rpc_{name}", rpc)
        for name, rpc in {
            "empty": "",
            "blank": " ",
            "dot": ".",
            "dots": "..",
            "dot_after": "echo.",
            "dot_before": ".echo",
            "below_a_function": "echo.foo.bar",
            "a_mapping": "nested",
            "below_a_mapping": "nested.nothing",
            "below_a_nested_function": "nested.echo.toString",
            "other_case": "ECHO",
            "space_before": " echo",
            "nul_after": "echo\0",
            "line_end_after": "echo\n",
            "to_string": "toString",
            "value_of": "valueOf",
            "constructor": "constructor",
            "has_own_property": "hasOwnProperty",
            "define_getter": "__defineGetter__",
            "proto": "__proto__",
            "proto_below": "nested.__proto__.echo",
            "class": "__class__",
            "call": "echo.__call__",
            "globals": "echo.__globals__",
            "get": "get",
            "keys": "nested.keys",
            "like_ping": "_ping.x",
            "like_publish": "_publish.x",
            "like_auth": "auth.auth",
            "unknown_internal": "_unknown",
            "upper_case_auth": "AUTH",
            "not_ascii": "écho\u202e",
            "long": "x" * 100_000,
            "many_dots": "." * 10_000,
            "many_names": ".".join(["nested"] * 1000),
            "path": "../../etc/passwd",
            "number_in_text": "0",
        }.items()
    ),
    request(
        "ping",
        {"rpc": "_ping", "req": {}, "uuid": "u"},
        {"rpc": "_ping", "uuid": "u", "resp": {"message": "pong"}},
    ),
    request("call_without_uuid", {"rpc": "echo", "req": 1}, {"rpc": "echo", "resp": 1}),
    request(
        "call_without_req",
        {"rpc": "echo", "uuid": "u"},
        {"rpc": "echo", "uuid": "u", "resp": None},
    ),
    request(
        "rpc_twice",
        '{"rpc":"boom","rpc":"echo","uuid":"u","req":1}',
        {"rpc": "echo", "uuid": "u", "resp": 1},
        rpc="echo",
        uuid="u",
    ),
    request(
        "auth_and_echo",
        '{"rpc":"auth","rpc":"echo","token":"x","uuid":"u","resp":"success"}',
        {"rpc": "echo", "uuid": "u", "resp": None},
        rpc="echo",
        uuid="u",
    ),
    # -- what is called with
    echoed("req_number", "-1.5e10", -1.5e10),
    echoed("req_a_number_of_64_bits", str(2**64 - 1), 2**64 - 1),
    echoed("req_half_a_pair", '"\\ud800\\ud800x\\udc00"', "\ufffd\ufffdx\ufffd"),
    echoed("req_escaped_half_a_pair", '"\\\\ud800"', "\\ud800"),
    echoed("req_line_ends", '"\\u2028\\u0000\\u000a"', "\u2028\0\n"),
    echoed("req_brackets_in_text", '["' + "[{" * 10_000 + '"]', ["[{" * 10_000]),
    echoed("req_wide", "[" + "[]," * 10_000 + "0]", [[]] * 10_000 + [0]),
    echoed("req_proto", '{"__proto__":{"x":1}}', {"__proto__": {"x": 1}}),
    echoed("req_keys_twice", '{"a":1,"a":2}', {"a": 2}),
    echoed("req_63_deep", "[" * 63 + "]" * 63, json.loads("[" * 63 + "]" * 63)),
    answered("req_64_deep", "json_depth", echo("[" * 64 + "]" * 64)),
    answered("objects_5000_deep", "json_depth", echo('{"a":' * 5000 + "1" + "}" * 5000)),
    answered("lists_5000_deep", "json_depth", echo("[" * 5000 + "]" * 5000)),
    answered(
        "req_100_deep_and_last",
        "json_depth",
        '{"uuid":"u","rpc":"echo","req":' + "[" * 100 + "]" * 100 + "}",
    ),
    answered(
        "req_5000_deep_and_first",
        "json_depth",
        '{"req":' + "[" * 5000 + "]" * 5000 + ', "uuid" : "u", "rpc" : "echo" }',
    ),
    answered("uuid_in_a_deep_req", "json_depth", echo('[{"uuid":"x"' + ',"a":[' * 64 + "]}" * 64)),
    answered("a_call_too_large", "message_size", echo('"' + "x" * 1024 * 1024 + '"')),
    answered(
        "a_publish_too_large",
        "message_size",
        '{"rpc":"_publish","uuid":"u","req":{"channel":"witness","data":"%s"}}' % ("x" * 2**20),
        "_publish",
    ),
    crossed("a_name_too_large", TOO_LARGE, '{"rpc":"%s"}' % ("x" * 2**20)),
    crossed("lists_100000_deep", TOO_DEEP, "[" * 100_000),
    crossed("objects_100000_deep", TOO_DEEP, '{"a":' * 100_000),
    crossed("a_message_too_large", TOO_LARGE, '"' + "x" * 1024 * 1024 + '"'),
    crossed("the_largest_noise_and_one_more", TOO_LARGE, "\\" * (2**20 + 1)),
    # -- auth
    bad("auth_alone", {"rpc": "auth"}),
    bad("auth_token_null", {"rpc": "auth", "token": None}),
    bad("auth_token_number", {"rpc": "auth", "token": 123}),
    bad("auth_token_true", {"rpc": "auth", "token": True}),
    bad("auth_token_list", {"rpc": "auth", "token": [UUID4]}),
    bad("auth_token_object", {"rpc": "auth", "token": {"length": 36}}),
    bad("auth_token_in_req", {"rpc": "auth", "req": {"token": UUID4}}),
    token("auth_token_empty", ""),
    token("auth_token_text", "x"),
    token("auth_token_unknown", UUID4),
    token("auth_token_upper_case", UUID4.upper()),
    token("auth_token_in_braces", "{" + UUID4 + "}"),
    token("auth_token_of_a_session", f"sess:{UUID4}"),
    token("auth_token_and_more", f"{UUID4} "),
    token("auth_token_and_a_line_end", f"{UUID4}\n"),
    token("auth_two_tokens", UUID4 * 2),
    token("auth_token_version_1", "550e8400-e29b-11d4-a716-446655440000"),
    token("auth_token_pattern", "*"),
    token("auth_token_other_digits", UUID4.replace("5", "\u0665")),
    token("auth_token_nul", UUID4 + "\0"),
    token("auth_token_half_a_pair", "\ud800"),
    token("auth_token_long", "5" * 1_000_000),
    token("auth_token_redis", f"{UUID4}\r\nFLUSHALL"),
    Case(
        "auth_twice_in_one_frame",
        (_text({"rpc": "auth", "token": UUID4}), _text({"rpc": "auth", "token": UUID4})),
        [{"rpc": "auth", "error": "Token not found"}],
        close_codes.AUTHENTICATION_REFUSED,
        [{"rpc": "auth", "error": "Token not found"}],
        close_codes.AUTHENTICATION_REFUSED,
    ),
    # -- channels: what is no request
    *(bad(f"{rpc[1:]}_without_req", {"rpc": rpc}) for rpc in PUBSUB),
    *(bad(f"{rpc[1:]}_req_null", {"rpc": rpc, "req": None}) for rpc in PUBSUB),
    *(bad(f"{rpc[1:]}_req_list", {"rpc": rpc, "req": ["witness"]}) for rpc in PUBSUB),
    *(bad(f"{rpc[1:]}_req_text", {"rpc": rpc, "req": "witness"}) for rpc in PUBSUB),
    *(refused(f"{rpc[1:]}_without_channel", rpc, {}, "Invalid request") for rpc in CHANNELLED),
    *(
        refused(f"{rpc[1:]}_empty_channel", rpc, {"channel": ""}, "Invalid request")
        for rpc in CHANNELLED
    ),
    *(
        bad(f"{rpc[1:]}_channel_{name}", {"rpc": rpc, "req": {"channel": value}})
        for rpc in CHANNELLED
        for name, value in OTHER_TYPES.items()
    ),
    bad("publish_many_channels", {"rpc": "_publish", "req": {"channel": ["___sync___", "null"]}}),
    bad("subscribe_to_forbidden_in_a_list", {"rpc": "_subscribe", "req": {"channel": ["x"]}}),
    # -- channels that are the servers' own
    *(
        refused(f"{rpc[1:]}_{channel.strip('_')}_{len(channel)}", rpc, {"channel": channel})
        for rpc in CHANNELLED
        for channel in RESERVED
    ),
    # -- names of channels
    subscribed("channel_proto", "__proto__"),
    subscribed("channel_constructor", "constructor"),
    subscribed("channel_to_string", "toString"),
    subscribed("channel_has_own_property", "hasOwnProperty"),
    subscribed("channel_pattern", "*"),
    subscribed("channel_keyspace", "__keyevent@0__:*"),
    subscribed("channel_nul", "\0"),
    subscribed("channel_line_end", "a\r\nFLUSHALL\r\n"),
    subscribed("channel_blank", " "),
    subscribed("channel_half_a_pair", "\ud800", "\ufffd"),
    subscribed("channel_like_reserved", "___all___ "),
    subscribed("channel_in_other_letters", "___ALL___"),
    subscribed("channel_of_256_bytes", "é" * 128),
    *(
        refused(
            f"{rpc[1:]}_channel_of_257_bytes",
            rpc,
            {"channel": "é" * 128 + "x"},
            TEXTS["channel_length"],
        )
        for rpc in CHANNELLED
    ),
    # -- what is done to channels
    pubsub(
        "unsubscribe_from_nothing",
        "_unsubscribe",
        {"channel": "nothing"},
        success("_unsubscribe"),
        unsubscribed("nothing"),
    ),
    pubsub(
        "unsubscribe_the_witness",
        "_unsubscribe",
        {"channel": "witness"},
        success("_unsubscribe"),
        unsubscribed("witness"),
    ),
    pubsub("publish_to_nobody", "_publish", {"channel": "x", "data": 1}, success("_publish")),
    pubsub(
        "publish_without_data",
        "_publish",
        {"channel": "witness"},
        success("_publish"),
        heard=({"channel": "witness", "message": None},),
    ),
    pubsub(
        "publish_text_that_is_json",
        "_publish",
        {"channel": "witness", "data": '{"channel":"x"}'},
        success("_publish"),
        heard=({"channel": "witness", "message": '{"channel":"x"}'},),
    ),
    pubsub(
        "publish_a_large_number",
        "_publish",
        {"channel": "witness", "data": 2**70},
        success("_publish"),
        heard=({"channel": "witness", "message": 2**70},),
    ),
    pubsub(
        "publish_what_looks_like_a_notice",
        "_publish",
        {"channel": "witness", "data": {"internal": True}, "internal": True},
        success("_publish"),
        heard=({"channel": "witness", "message": {"internal": True}},),
    ),
    pubsub(
        "broadcast_without_data",
        "_broadcast",
        {},
        success("_broadcast"),
        heard=({"channel": "witness", "message": None},),
    ),
    pubsub(
        "broadcast_to_a_channel",
        "_broadcast",
        {"channel": "x", "data": "y"},
        success("_broadcast"),
        heard=({"channel": "witness", "message": "y"},),
    ),
    # -- answers to calls
    *(
        bad(f"answer_fid_{name}", {"rpc": "_rpc", "fid": value, "resp": {"data": 1}})
        for name, value in OTHER_TYPES.items()
    ),
    bad("answer_without_fid", {"rpc": "_rpc", "resp": {"data": 1}}),
    *(
        bad(f"answer_resp_{name}", {"rpc": "_rpc", "fid": "f", "resp": value})
        for name, value in {"null": None, "number": 5, "text": "x", "list": []}.items()
    ),
    unanswered("answer_without_resp", {"fid": "f"}),
    unanswered("answer_to_nothing", {"fid": UUID4, "resp": {"data": 1}}),
    unanswered("answer_fid_empty", {"fid": "", "resp": {"data": 1}}),
    unanswered("answer_fid_proto", {"fid": "__proto__", "resp": {"data": 1}}),
    unanswered("answer_with_both", {"fid": "f", "resp": {"data": 1, "error": "x"}}),
    # -- several in a frame
    Case(
        "the_first_ends_it",
        ("{}", "{}"),
        [{"error": "Forbidden"}],
        close_codes.NOT_AUTHENTICATED,
        [{"error": "Invalid request"}] * 2,
    ),
    Case(
        "a_thousand_after_the_end",
        tuple(["null"] * 1000),
        [{"error": "Forbidden"}],
        close_codes.NOT_AUTHENTICATED,
        [{"error": "Invalid request"}] * 1000,
    ),
    Case(
        "subscribe_and_forget",
        (
            _text({"rpc": "_subscribe", "req": {"channel": "c"}}),
            _text({"rpc": "_publish", "req": {"channel": "c", "data": 1}}),
            _text({"rpc": "_unsubscribe", "req": {"channel": "c"}}),
        ),
        [{"rpc": "_subscribe", "error": "Forbidden"}],
        close_codes.NOT_AUTHENTICATED,
        [
            {"internal": True, "command": "subscribe", "data": {"channel": "c"}},
            {"channel": "c", "message": 1},
            unsubscribed("c"),
        ],
    ),
    Case(
        "more_messages_than_a_frame_may_have",
        tuple(["{}"] * 10_001),
        [],
        CloseCode(4002, "Too many messages in one frame"),
        [],
        CloseCode(4002, "Too many messages in one frame"),
    ),
]
