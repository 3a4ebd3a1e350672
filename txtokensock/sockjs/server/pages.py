"""
The pages of a SockJS server outside of sessions: greeting, iframe, info.
"""

from __future__ import annotations

import hashlib
import html
import re
import secrets

import msgspec
from twisted.web import http
from twisted.web.http import Request

from ...web.server.answers import Answer, allow_origin, answer, cacheable, done, uncacheable
from .options import SockJSOptions

__all__ = ["IFRAME_PATH", "IframePage", "greeting", "info"]

IFRAME_PATH = re.compile(r"iframe[0-9a-z._-]*\.html")

_IFRAME = """\
<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="%s"></script>
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
    return answer(request, http.OK, "Welcome to SockJS!\n")


class IframePage:
    """
    ``/iframe*.html``: for pages of other origins in browsers without CORS.

    :param sockjs_url: where the page gets the SockJS client from.
    """

    def __init__(self, sockjs_url: str) -> None:
        self._page = _IFRAME % html.escape(sockjs_url)
        digest = hashlib.sha256(self._page.encode()).hexdigest()
        self._etag = f'"{digest[:32]}"'.encode()

    def render(self, request: Request) -> Answer:
        """Answer with the page, or 304 if the client has it already."""
        cacheable(request)
        if request.setETag(self._etag) is http.CACHED:
            return done(request, http.NOT_MODIFIED)
        return answer(request, http.OK, self._page, "text/html; charset=UTF-8")


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
    return answer(request, http.OK, body, "application/json; charset=UTF-8")
