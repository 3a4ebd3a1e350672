"""
Messages, and what looks like them.
"""

from __future__ import annotations

import json

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)

ANY_TEXT = st.binary(max_size=50) | st.text('{}[]":,rpcuidn\\01 ', max_size=50).map(str.encode)

_FIELDS = st.sampled_from(
    [
        "rpc",
        "uuid",
        "resp",
        "error",
        "channel",
        "message",
        "internal",
        "command",
        "data",
        "tx",
        "token",
        "fid",
        "req",
        "args",
    ]
)
_TELLING = st.sampled_from(
    [
        True,
        "rpc",
        "auth",
        "_rpc",
        "_subscribe",
        "_unsubscribe",
        "_publish",
        "_broadcast",
        "subscribe",
    ]
)
_INNER = st.dictionaries(_FIELDS, VALUES | _TELLING, max_size=4)

MESSAGE_LIKE = st.dictionaries(_FIELDS, VALUES | _TELLING | _INNER, max_size=6).map(
    lambda message: json.dumps(message).encode()
)
"""JSON objects that have the right fields, and often the wrong values in them."""
