"""
The forms that frames take in HTTP responses (no I/O).

Source: sockjs-protocol 0.3.3 and sockjs-node 0.3.24.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from ..frames import escape_frame

__all__ = ["EVENTSOURCE", "XHR_POLLING", "XHR_STREAMING", "Framing", "htmlfile", "jsonp"]

CALLBACK = re.compile(r"[a-zA-Z0-9_.-]{1,32}")
"""What a JavaScript callback's name may be: it is written into a script."""

_JAVASCRIPT = "application/javascript; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Framing:
    """
    :ivar transport: what sockjs-node calls it.
    :ivar content_type: of the response.
    :ivar prelude: what comes before the first frame.
    :ivar wrap: the bytes for a frame.
    :ivar single: whether a response holds one frame; otherwise it goes on until
        ``response_limit``.
    """

    transport: str
    content_type: str
    prelude: bytes
    wrap: Callable[[bytes], bytes]
    single: bool = False


def _line(frame: bytes) -> bytes:
    return escape_frame(frame) + b"\n"


def _event(frame: bytes) -> bytes:
    # Clients decode with decodeURI, so that the only thing to escape is its own escape:
    # JSON has no line breaks, which would end the event.
    return b"data: " + escape_frame(frame).replace(b"%", b"%25") + b"\r\n\r\n"


XHR_POLLING = Framing("xhr-polling", _JAVASCRIPT, b"", _line, single=True)

# Two kilobytes, because Internet Explorer hides less than that from scripts.
XHR_STREAMING = Framing("xhr-streaming", _JAVASCRIPT, b"h" * 2048 + b"\n", _line)

# The new line is for a bug in Opera.
EVENTSOURCE = Framing("eventsource", "text/event-stream", b"\r\n", _event)

_HTMLFILE = """\
<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.%s;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>"""


def _script_text(frame: bytes) -> str:
    """A frame as a JavaScript string, which nothing in it can end, nor the script."""
    return json.dumps(escape_frame(frame).decode(), ensure_ascii=False).replace("<", "\\u003c")


def htmlfile(callback: str) -> Framing:
    """
    :param callback: matches :data:`CALLBACK`.
    """

    def script(frame: bytes) -> bytes:
        return f"<script>\np({_script_text(frame)});\n</script>\r\n".encode()

    # More than a kilobyte, because browsers show less than that to nobody.
    prelude = (_HTMLFILE % callback).ljust(1024) + "\r\n\r\n"
    return Framing("htmlfile", "text/html; charset=UTF-8", prelude.encode(), script)


def jsonp(callback: str) -> Framing:
    """
    :param callback: matches :data:`CALLBACK`.
    """

    def call(frame: bytes) -> bytes:
        # The comment keeps the answer from being read as something else (Flash).
        return f"/**/{callback}({_script_text(frame)});\r\n".encode()

    return Framing("jsonp-polling", _JAVASCRIPT, b"", call, single=True)
