"""
How frames are written into HTTP responses (no I/O).

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
"""What the name of a JavaScript callback may be, since it is written into a script."""

_JAVASCRIPT = "application/javascript; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Framing:
    """
    How one transport writes frames.

    :ivar transport: its name, that of sockjs-node.
    :ivar content_type: of the response.
    :ivar prelude: bytes before the first frame.
    :ivar wrap: gives the bytes for a frame.
    :ivar single: whether a response has one frame; otherwise it has as many as fit into
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

# Internet Explorer does not pass less than two kilobytes on to scripts.
XHR_STREAMING = Framing("xhr-streaming", _JAVASCRIPT, b"h" * 2048 + b"\n", _line)

# The line break is for a bug in Opera.
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
    """A frame as a JavaScript string; nothing in it ends the string or the script."""
    return json.dumps(escape_frame(frame).decode(), ensure_ascii=False).replace("<", "\\u003c")


def htmlfile(callback: str) -> Framing:
    """
    Frames in scripts of an endless HTML page.

    :param callback: matches :data:`CALLBACK`.
    """

    def script(frame: bytes) -> bytes:
        return f"<script>\np({_script_text(frame)});\n</script>\r\n".encode()

    # Browsers do not run the scripts of less than a kilobyte.
    prelude = (_HTMLFILE % callback).ljust(1024) + "\r\n\r\n"
    return Framing("htmlfile", "text/html; charset=UTF-8", prelude.encode(), script)


def jsonp(callback: str) -> Framing:
    """
    One frame as the argument of a JavaScript call.

    :param callback: matches :data:`CALLBACK`.
    """

    def call(frame: bytes) -> bytes:
        # The comment keeps Flash from reading the response as one of its files.
        return f"/**/{callback}({_script_text(frame)});\r\n".encode()

    return Framing("jsonp-polling", _JAVASCRIPT, b"", call, single=True)
