"""
The attacks of ``python -m tests.neighbours --ci``: some of each kind, in three minutes.

What it leaves out are the variants of these: most of what breaks RFC 6455 or JSON in another
way, the sites' attacks where another site of the same class has them, and limits that one check
has in common.
"""

from __future__ import annotations

__all__ = ["CI"]

_WHO_AND_HOW_MANY = (
    "1,000 half request lines (server)",
    "1,000 half heads (server, TLS)",
    "connections without a word (server)",
    "connections without a word (bridge)",
    "opened and reset (server, TLS)",
    "TLS handshakes without an end",
    "plain HTTP on a TLS port",
    "tokens, pipelined",
    "tokens, with a forged address each",
    "upgrades, 500 at once",
    "upgrades, over TLS",
    "WebSockets, opened and reset",
    "streams, 500 at once",
    # Time.
    "a head byte by byte (server)",
    "a body byte by byte (server, TLS)",
    "chunks byte by byte (bridge)",
    "a head behind a request, byte by byte",
    "last answers, over TLS, and no goodbye",
    # Whose page, and what is no HTTP, or no WebSocket.
    "pages of other names",
    "heads that are too long",
    "frames with every reserved bit",
    "text that is not UTF-8",
    "JSON without an end",
)

_BEFORE_AND_AFTER_AUTHENTICATION = (
    # Memory.
    "250 unfinished frames of 4 MiB",
    "120 unfinished frames of 4 MiB, from 30 addresses over TLS",
    "250 fragments without an end",
    "100 half bodies of 4 MiB",
    "500 bodies in temporary files",
    "messages of 1 MB that nobody reads",
    "fifty who do not read what they publish",
    "an audience that does not read",
    "streams that nobody reads",
    # Input that is counted.
    "strangers' pings",
    "pings over TLS",
    "10,000 calls before auth",
    "wrong tokens, over TLS",
    "60,000 empty arrays",
    "60,000 pings, unread",
    "60,000 empty fragments",
    "small calls by ten",
    "small calls by ten, over TLS",
    "messages of 1 MB at full rate",
    "messages of 1 MB at full rate, over TLS",
    "sends of nothing to one session",
    "texts that are not JSON",
    "peers who come and go",
    # Long turns.
    "1 MB of empty objects",
    "line breaks, and half of a surrogate pair",
    "line separators, to ten streams",
    "forms of escapes",
    "10,000 broadcasts in a frame, 1,000 channels",
    "2,000 broadcasts in a frame, ten peers",
    "10,000 publishes in a frame, 20 peers",
    "publishes of 500 kB to 40 peers",
    "10,000 subscriptions in a frame",
    "10,000 calls in a frame, over TLS",
    # Limits that answer.
    "names of channels that are too long",
    "2,000 channels each",
    "15,000 calls that wait",
    "JSON 100,000 deep",
    "messages over the size",
)

_ONE_UPSTREAM_MANY_CALLERS = (
    # Over the server's limits.
    "a call just under 1 MiB",
    "a publish of quotes",
    "data 100 deep",
    "a channel of 300 characters",
    "events of 1.5 MB",
    "events that are 100 deep",
    "topics of 300 characters",
    "calls of 1.5 MB",
    # More than a share.
    "16 streams of 64 channels",
    "streams that come and go",
    "calls, pipelined",
    "publishes, pipelined",
    "publishes of 900 kB, as many as it takes",
    "calls that nobody answers",
    "events, as many as it takes",
    "calls by WAMP, as many as it takes",
    # Memory, and those without a key.
    "readers of events who do not read",
    "keys that nobody has, with large bodies",
    "wrong signatures",
)

CI = frozenset(
    (*_WHO_AND_HOW_MANY, *_BEFORE_AND_AFTER_AUTHENTICATION, *_ONE_UPSTREAM_MANY_CALLERS)
)
"""Names of attacks, at least one of each kind."""
