"""
The pages of a SockJS server outside of sessions: greeting, iframe, info.
"""

from __future__ import annotations

import hashlib
import html
import re
import secrets

import msgspec
from twisted.web.http import CACHED, NOT_MODIFIED, OK, Request

from ...web.server.answers import Answer, allow_origin, answer, cacheable, done, uncacheable
from .options import SOCKJS_INTEGRITY, SOCKJS_URL, SockJSOptions

__all__ = [
    "CLIENT_PATH",
    "IFRAME_PATH",
    "FixedPage",
    "client_script",
    "greeting",
    "iframe",
    "info",
]

CLIENT_PATH = "sockjs-client.js"

IFRAME_PATH = re.compile(r"iframe[0-9a-z._-]*\.html")

_IFRAME = """\
<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="%s"%s></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>"""


def greeting(request: Request) -> Answer:
    """``/``: tells people that there is a SockJS server."""
    return answer(request, OK, "Welcome to SockJS!\n")


class FixedPage:
    """
    A page that does not change while the server runs.

    :param text: its content.
    :param content_type: of it.
    """

    def __init__(self, text: str, content_type: str) -> None:
        self._text = text
        self._content_type = content_type
        digest = hashlib.sha256(text.encode()).hexdigest()
        self._etag = f'"{digest[:32]}"'.encode()

    def render(self, request: Request) -> Answer:
        """Answer with the page, or 304 if the client has it already."""
        cacheable(request)
        if request.setETag(self._etag) is CACHED:
            return done(request, NOT_MODIFIED)
        return answer(request, OK, self._text, self._content_type)


def iframe(options: SockJSOptions) -> FixedPage:
    """``/iframe*.html``: for pages of other origins in browsers without CORS."""
    url, more = options.sockjs_url, ""
    if options.sockjs_client_file is not None:
        url = CLIENT_PATH  # beside the page
    elif url == SOCKJS_URL:
        more = f' integrity="{SOCKJS_INTEGRITY}" crossorigin="anonymous"'
    return FixedPage(_IFRAME % (html.escape(url), more), "text/html; charset=UTF-8")


def client_script(options: SockJSOptions) -> FixedPage | None:
    """``/sockjs-client.js``: the operator's copy of the SockJS client, if there is one."""
    text = options.client_script()
    return None if text is None else FixedPage(text, "text/javascript; charset=UTF-8")


def info(request: Request, options: SockJSOptions) -> Answer:
    """
    ``/info``: the transports on offer, and entropy for clients without a good source of it.
    """
    allow_origin(request)
    uncacheable(request)
    facts = {
        "websocket": options.websocket,
        "origins": ["*:*"],  # required by the protocol; the origin was checked before
        "cookie_needed": options.cookie_needed,
        "entropy": secrets.randbits(32),
    }
    body = msgspec.json.encode(facts).decode()
    return answer(request, OK, body, "application/json; charset=UTF-8")
