"""
What an attacker sends as HTTP: data.

The connection is left open afterwards, for the server to end.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.kit.http import request
from tests.kit.websocket import UPGRADE

__all__ = ["REQUESTS", "HttpCase"]


@dataclass(frozen=True, slots=True)
class HttpCase:
    """
    :ivar name: of the case.
    :ivar data: what is sent, in one piece.
    :ivar statuses: of the responses that come, also of those that are not complete.
    :ivar body: what is in the responses.
    """

    name: str
    data: bytes
    statuses: tuple[int, ...]
    body: bytes = b""


HIXIE76 = {
    "Upgrade": "WebSocket",
    "Connection": "Upgrade",
    "Origin": "http://example.com",
    "Sec-WebSocket-Key1": "4 @1  46546xW%0l 1 5",
    "Sec-WebSocket-Key2": "12998 5 Y3 1  .P00",
}
FOREIGN = {"Origin": "http://evil.example"}
TOKEN, INFO, SESSION = "/socket/token", "/sockets/info", "/sockets/000/x"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LATIN = "\udcff\udcfe"  # the bytes ff fe, which are no UTF-8


def get(
    name: str,
    path: str,
    status: int = 404,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    method: str = "GET",
) -> HttpCase:
    """One request without a body."""
    return HttpCase(name, request(method, path, headers), (status,), body)


def post(
    name: str,
    path: str,
    status: int,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    answer: bytes = b"",
) -> HttpCase:
    """One request with a body."""
    return HttpCase(name, request("POST", path, headers, body), (status,), answer)


def upgrade(name: str, status: int = 400, **changed: str) -> HttpCase:
    """A handshake with one thing wrong; "-" leaves a header out."""
    headers = UPGRADE | {key.replace("_", "-"): value for key, value in changed.items()}
    return get(name, f"{SESSION}/websocket", status, headers)


def draft(name: str, *statuses: int, body: bytes = b"") -> HttpCase:
    """The handshake of a draft that nobody speaks any more, and bytes after it."""
    return HttpCase(name, request("GET", f"{SESSION}/websocket", HIXIE76) + body, statuses)


def raw(name: str, data: bytes | str, *statuses: int, body: bytes = b"") -> HttpCase:
    """Bytes."""
    return HttpCase(name, data.encode() if isinstance(data, str) else data, statuses, body)


POLL = request("POST", f"{SESSION}/xhr", body=b"")
SEND = request("POST", f"{SESSION}/xhr_send", body=b'["{"]')

REQUESTS: list[HttpCase] = [
    # -- requests that never end
    raw("nothing", b""),
    raw("half_a_request_line", "GET /socket/to"),
    raw("half_the_headers", "GET /socket/token HTTP/1.1\r\nHost: example.com\r\nX-"),
    raw("headers_without_end", "GET /socket/token HTTP/1.1\r\nHost: example.com\r\n"),
    raw("many_headers_without_end", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 120),
    raw("a_body_that_does_not_come", POLL.replace(b"Length: 0", b"Length: 1000")),
    raw(
        "a_body_that_stops", request("POST", f"{SESSION}/xhr_send", {"Content-Length": "99"}, b"[")
    ),
    raw("terabytes_that_do_not_come", POLL.replace(b"Length: 0", b"Length: 9999999999999"), 413),
    raw(
        "chunks_without_end",
        request("POST", f"{SESSION}/xhr_send", {"Transfer-Encoding": "chunked"}) + b"1\r\n[\r\n",
    ),
    raw("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x20" * 64),
    # -- no HTTP
    raw("a_word", "HELLO\r\n\r\n", 400),
    raw("two_words", "GET /\r\n\r\n", 400),
    raw("four_words", "GET / HTTP/1.1 x\r\n\r\n", 400),
    raw("bytes", bytes(range(128, 256)) + b"\r\n\r\n", 400),
    raw("smtp", "EHLO evil.example\r\nMAIL FROM:<x>\r\n", 400),
    raw("redis", "*1\r\n$8\r\nFLUSHALL\r\n", 400),
    raw("http2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    raw("a_line_too_long", b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 431),
    raw("a_line_without_end", b"GET /" + b"x" * 100_000, 431),
    raw("a_header_too_long", b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    raw("too_many_headers", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 600 + b"\r\n", 431),
    raw("headers_too_large", b"GET / HTTP/1.1\r\n" + (b"X: " + b"y" * 1000 + b"\r\n") * 20, 431),
    raw("no_colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", 400),
    raw("space_before_colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    raw("nul_in_a_name", "GET / HTTP/1.1\r\nHo\0st: x\r\n\r\n", 400),
    raw("folded_header", "GET /sockets/info HTTP/1.1\r\nHost: x\r\n Origin: y\r\n\r\n", 200),
    # -- lengths (request smuggling)
    post("length_negative", f"{SESSION}/xhr", 400, b"", {"Content-Length": "-1"}),
    post("length_word", f"{SESSION}/xhr", 400, b"", {"Content-Length": "ten"}),
    post("length_plus", f"{SESSION}/xhr", 400, b"", {"Content-Length": "+1"}),
    post("length_list", f"{SESSION}/xhr", 400, b"", {"Content-Length": "0, 0"}),
    post("length_not_ascii", f"{SESSION}/xhr", 400, b"", {"Content-Length": LATIN}),
    raw("two_lengths", POLL.replace(b"Length: 0", b"Length: 0\r\nContent-Length: 9"), 400),
    post("length_and_chunks", f"{SESSION}/xhr", 400, b"", {"Transfer-Encoding": "chunked"}),
    get("encoding_unknown", INFO, 400, {"Transfer-Encoding": "gzip"}),
    raw(
        "chunk_size_garbage",
        request("POST", f"{SESSION}/xhr", {"Transfer-Encoding": "chunked"}) + b"zz\r\n",
        400,
    ),
    raw(
        "chunk_size_negative",
        request("POST", f"{SESSION}/xhr", {"Transfer-Encoding": "chunked"}) + b"-1\r\n",
        400,
    ),
    raw(
        "chunk_size_long",
        request("POST", f"{SESSION}/xhr", {"Transfer-Encoding": "chunked"}) + b"f" * 2000,
        400,
    ),
    # -- methods
    *(
        get(f"token_{method.lower()}", TOKEN, 405, method=method)
        for method in ("PUT", "DELETE", "TRACE", "PATCH", "FOO", "get")
    ),
    post("token_post", TOKEN, 405, b"a=1", FORM),
    get("connect", "example.com:443", 404, method="CONNECT"),
    get("options_star", "*", 200, method="OPTIONS"),
    get("get_xhr", f"{SESSION}/xhr", 405),
    get("get_xhr_send", f"{SESSION}/xhr_send", 405),
    get("put_info", INFO, 405, method="PUT"),
    post("post_eventsource", f"{SESSION}/eventsource", 405),
    post("post_websocket", f"{SESSION}/websocket", 405, b"", UPGRADE),
    # -- paths
    get("root", "/"),
    get("slashes", "//////"),
    get("empty_path", "", 400),
    get("socket", "/socket"),
    get("token_below_nothing", "/socket//token"),
    get("token_and_nul", "/socket/token%00"),
    get("token_below", "/socket/token/x"),
    get("token_and_slash", "/socket/token/", 200),
    get("token_and_slashes", "/socket/token//"),
    get("dots", "/sockets/../../../../etc/passwd"),
    get("encoded_dots", "/sockets/%2e%2e/%2e%2e/etc/passwd"),
    get("encoded_slashes", "/sockets%2finfo"),
    get("backslashes", "/sockets\\info"),
    get("percent", "/sockets/%"),
    get("bad_percent", "/sockets/%zz/%u0041"),
    get("not_utf8", "/sockets/%ff/%fe/%fd"),
    get("four_levels", "/sockets/a/b/c/d"),
    get("dot_in_server", "/sockets/0.0/x/xhr", method="POST"),
    get("dot_in_session", "/sockets/000/x.y/xhr", method="POST"),
    get("empty_session", "/sockets/000//xhr", method="POST"),
    get("unknown_transport", f"{SESSION}/telepathy"),
    get("absolute_url", "http://other.example/socket/token", 404),
    get("iframe_path", "/sockets/iframe/../../x.html"),
    get("iframe_script", "/sockets/iframe<script>.html"),
    get("many_levels", "/sockets" + "/a" * 5000),
    # -- tokens
    get("token_of_many_fields", TOKEN + "?" + "&".join(f"a{n}=1" for n in range(2000)), 200),
    get("token_of_deep_fields", TOKEN + "?a" + "[a]" * 3000 + "=1", 200),
    get("token_of_brackets", TOKEN + "?" + "[" * 5000 + "=1&a]b=2&a[=3&[]=4", 200),
    get("token_of_proto", TOKEN + "?__proto__[x]=1&constructor[prototype][y]=2", 200),
    get("token_of_bytes", TOKEN + "?a=%ff%fe&%ff=1", 200),
    get("token_with_callback", TOKEN + "?callback=alert", 403, body=b'{"error":"Forbidden"}'),
    get("token_for_others", TOKEN, 403, FOREIGN),
    get("token_for_an_image", TOKEN, 403, {"Sec-Fetch-Site": "cross-site"}),
    get("token_for_a_referer", TOKEN, 403, {"Referer": "http://evil.example/x"}),
    get("token_for_null", TOKEN, 403, {"Origin": "null"}),
    get("token_for_nothing", TOKEN, 403, {"Origin": ""}),
    get("token_for_a_broken_host", TOKEN, 403, {"Origin": "http://[::1"}),
    get("token_for_a_broken_port", TOKEN, 403, {"Origin": "http://example.com:x"}),
    get("token_for_a_large_port", TOKEN, 403, {"Origin": "http://example.com:99999999"}),
    get("token_for_a_long_origin", TOKEN, 403, {"Origin": "http://" + "x" * 10_000}),
    get("token_for_credentials", TOKEN, 403, {"Origin": "http://example.com@evil.example"}),
    get("token_for_a_suffix", TOKEN, 403, {"Origin": "http://example.com.evil.example"}),
    get("token_of_a_broken_host", TOKEN, 403, {"Host": "[::1", "Origin": "http://[::1"}),
    get("token_preflight_for_others", TOKEN, 403, FOREIGN, method="OPTIONS"),
    *(
        get(f"token_{name.lower()}_not_utf8", TOKEN, status, {name: LATIN})
        for name, status in {
            "Origin": 403,
            "Referer": 403,
            "Sec-Fetch-Site": 403,
            "Host": 200,
            "Cookie": 200,
            "Accept": 200,
        }.items()
    ),
    # -- origins of SockJS routes
    get("info_for_others", INFO, 403, FOREIGN),
    get("info_not_utf8", INFO, 403, {"Origin": LATIN}),
    get("websocket_for_others", f"{SESSION}/websocket", 403, UPGRADE | FOREIGN),
    get("websocket_for_bytes", f"{SESSION}/websocket", 403, UPGRADE | {"Origin": LATIN}),
    get("raw_websocket_for_others", "/sockets/websocket", 403, UPGRADE | FOREIGN),
    post("xhr_for_others", f"{SESSION}/xhr", 403, b"", FOREIGN),
    post("streaming_for_others", f"{SESSION}/xhr_streaming", 403, b"", FOREIGN),
    get("eventsource_for_others", f"{SESSION}/eventsource", 403, FOREIGN),
    get("jsonp_for_others", f"{SESSION}/jsonp?c=x", 403, {"Referer": "http://evil.example/"}),
    get("htmlfile_for_others", f"{SESSION}/htmlfile?c=x", 403, {"Sec-Fetch-Site": "cross-site"}),
    post("form_of_others", f"{SESSION}/jsonp_send", 403, b"d=%5B%5D", FORM | FOREIGN),
    # -- SockJS routes
    post("send_to_nobody", "/sockets/000/nobody/xhr_send", 404, b'["x"]'),
    post("form_to_nobody", "/sockets/000/nobody/jsonp_send", 404, b"d=%5B%5D", FORM),
    post(
        "form_in_broken_parts",
        f"{SESSION}/xhr",
        200,
        b"x",
        {"Content-Type": "multipart/form-data"},
    ),
    post(
        "form_in_parts_without_end",
        "/sockets/000/nobody/xhr_send",
        404,
        b"--x\r\n\r\n",
        {"Content-Type": "multipart/form-data; boundary=x"},
    ),
    post(
        "form_of_a_million_fields", "/sockets/000/nobody/jsonp_send", 404, b"a&" * 1_000_000, FORM
    ),
    get("jsonp_without_callback", f"{SESSION}/jsonp", 500, body=b'"callback" parameter required'),
    get("jsonp_script", f"{SESSION}/jsonp?c=alert(1)", 500, body=b'invalid "callback" parameter'),
    get("jsonp_long", f"{SESSION}/jsonp?c=" + "x" * 33, 500, body=b'invalid "callback"'),
    get("jsonp_bytes", f"{SESSION}/jsonp?c=%ff", 500, body=b'invalid "callback"'),
    get("htmlfile_script", f"{SESSION}/htmlfile?c=%3Cscript%3E", 500, body=b'invalid "callback"'),
    get("iframe_etag", "/sockets/iframe.html", 200, {"If-None-Match": LATIN}),
    get("greeting_of_a_range", "/sockets/", 200, {"Range": "bytes=5-1"}),
    get(
        "info_preflight",
        INFO,
        204,
        {"Access-Control-Request-Headers": "x" * 8000},
        method="OPTIONS",
    ),
    # -- handshakes
    upgrade("upgrade_to_h2c", Upgrade="h2c"),
    upgrade("upgrade_missing", Upgrade="-"),
    upgrade("upgrade_not_utf8", Upgrade=LATIN),
    upgrade("connection_missing", Connection="-"),
    upgrade("connection_closed", Connection="close"),
    upgrade("connection_not_utf8", Connection=LATIN),
    upgrade("version_missing", 426, Sec_WebSocket_Version="-"),
    upgrade("version_8", 426, Sec_WebSocket_Version="8"),
    upgrade("version_14", 426, Sec_WebSocket_Version="14"),
    upgrade("version_word", 426, Sec_WebSocket_Version="13; x"),
    upgrade("version_not_utf8", 426, Sec_WebSocket_Version=LATIN),
    upgrade("key_missing", Sec_WebSocket_Key="-"),
    upgrade("key_empty", Sec_WebSocket_Key=""),
    upgrade("key_short", Sec_WebSocket_Key="dGVzdA=="),
    upgrade("key_long", Sec_WebSocket_Key="x" * 10_000),
    upgrade("key_no_base64", Sec_WebSocket_Key="!" * 22 + "=="),
    upgrade("key_not_utf8", Sec_WebSocket_Key=LATIN),
    upgrade("extensions", 101, Sec_WebSocket_Extensions="permessage-deflate; x=" + "y" * 1000),
    upgrade("subprotocols", 101, Sec_WebSocket_Protocol=", ".join(["x"] * 1000)),
    upgrade("with_a_body_to_come", 0, Content_Length="5"),
    raw("http_10", request("GET", f"{SESSION}/websocket", UPGRADE, version="1.0"), 400),
    raw("upgrade_of_a_token", request("GET", TOKEN, UPGRADE), 200),
    raw("upgrade_of_nothing", request("GET", "/nothing", UPGRADE), 404),
    get("upgrade_of_a_raw_session", "/sockets/websocket/x", 404, UPGRADE),
    draft("hixie76", 426),
    draft("hixie76_half_a_body", 426, body=b"1234"),
    draft("hixie76_open", 426, body=b"12345678"),
    draft("hixie76_text", 426, body=b'12345678\x00["{"]\xff'),
    draft("hixie76_text_too_large", 426, 431, body=b"12345678\x00" + b"x" * 5_000_000),
    draft("hixie76_empty_texts", 426, 431, body=b"12345678" + b"\x00\xff" * 10_000),
    draft("hixie76_line_ends", 426, 400, body=b"1234\r\n78\x00[]\xff\r\n\r\n"),
    # -- several in one piece
    raw("two_requests", request("GET", INFO) * 2, 200, 200),
    raw("poll_and_send", POLL + SEND, 200, 204),
    raw("polls", POLL * 3, 200),
    raw("poll_and_upgrade", POLL + request("GET", f"{SESSION}/websocket", UPGRADE), 200, 101),
    raw("request_after_the_last", request("GET", INFO, {"Connection": "close"}) * 2, 200),
    raw("request_and_garbage", request("GET", INFO) + b"\0\xff\r\n\r\n", 200, 400),
    raw("a_thousand_requests", request("GET", INFO) * 1000, *[200] * 1000),
    # -- responses that go on
    post("streaming", f"{SESSION}/xhr_streaming", 200, b"", answer=b"hhhh"),
    get("eventsource", f"{SESSION}/eventsource", 200, body=b"data: o"),
    get("htmlfile", f"{SESSION}/htmlfile?c=x", 200, body=b"p("),
    raw("streaming_http_10", POLL.replace(b"xhr", b"xhr_streaming").replace(b"1.1", b"1.0"), 200),
]
